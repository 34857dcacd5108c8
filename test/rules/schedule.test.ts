import t from 'tap'
import { DAYS, type ScheduleSlot } from '../../src/domain/rule.ts'
import { modeAt } from '../../src/rules/mode.ts'
import { createLocalClock, isScheduled } from '../../src/rules/schedule.ts'

const slot = (days: ScheduleSlot['days'], from: string, to: string): ScheduleSlot => {
  const minutes = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3))
  return { days, fromMinute: minutes(from), toMinute: minutes(to) }
}
const berlin = createLocalClock('Europe/Berlin')
const holds = (schedule: ScheduleSlot[], iso: string): boolean =>
  isScheduled(schedule, berlin(Date.parse(iso)))

await t.test('an empty schedule always holds', async (t) => {
  t.ok(holds([], '2026-01-01T00:00:00Z'))
})

await t.test('a slot holds from its first minute to before its last, in local time', async (t) => {
  const schedule = [slot(['mon', 'tue'], '07:00', '19:00')]
  t.notOk(holds(schedule, '2026-06-01T06:59:59+02:00'))
  t.ok(holds(schedule, '2026-06-01T07:00:00+02:00'))
  t.ok(holds(schedule, '2026-06-02T18:59:59+02:00'))
  t.notOk(holds(schedule, '2026-06-02T19:00:00+02:00'))
  t.notOk(holds(schedule, '2026-06-03T12:00:00+02:00'), 'Wednesday')
})

await t.test('a slot over midnight belongs to the day on which it begins', async (t) => {
  const schedule = [slot(['fri'], '22:00', '05:00')]
  t.ok(holds(schedule, '2026-06-05T23:00:00+02:00'), 'Friday night')
  t.ok(holds(schedule, '2026-06-06T04:59:00+02:00'), 'Saturday morning')
  t.notOk(holds(schedule, '2026-06-05T04:00:00+02:00'), 'Friday morning')
  t.notOk(holds(schedule, '2026-06-06T23:00:00+02:00'), 'Saturday night')
})

await t.test('a slot to 24:00 holds to the end of the day', async (t) => {
  t.ok(holds([slot(['sun'], '20:00', '24:00')], '2026-06-07T23:59:59+02:00'))
  t.notOk(holds([slot(['sun'], '20:00', '24:00')], '2026-06-08T00:00:00+02:00'))
})

await t.test('a slot keeps its wall-clock times on both sides of a change to summer time', async (t) => {
  const schedule = [slot([...DAYS], '07:00', '08:00')]
  t.ok(holds(schedule, '2026-03-28T06:30:00Z'), 'CET')
  t.ok(holds(schedule, '2026-03-29T05:30:00Z'), 'CEST, the day of the change')
  t.notOk(holds(schedule, '2026-03-29T06:30:00Z'))
})

await t.test('the hour that is skipped in spring is in no slot', async (t) => {
  const schedule = [slot(['sun'], '02:00', '03:00')]
  for (let minute = 0; minute < 180; minute++) {
    const at = new Date(Date.parse('2026-03-29T00:00:00Z') + minute * 60_000).toISOString()
    t.notOk(holds(schedule, at), at)
  }
})

await t.test('the hour that comes twice in autumn is in its slot twice', async (t) => {
  const schedule = [slot(['sun'], '02:00', '03:00')]
  const minutes = Array.from(
    { length: 300 },
    (_, i) => new Date(Date.parse('2026-10-24T23:00:00Z') + i * 60_000),
  )
  t.equal(minutes.filter((at) => holds(schedule, at.toISOString())).length, 120)
})

await t.test(
  'a live rule warns before its effective date, and one without a date always warns',
  async (t) => {
    t.equal(modeAt({ mode: 'live', effectiveFrom: 1_000 }, 999), 'warning')
    t.equal(modeAt({ mode: 'live', effectiveFrom: 1_000 }, 1_000), 'live')
    t.equal(modeAt({ mode: 'live' }, 1_000), 'warning')
    t.equal(modeAt({ mode: 'warning', effectiveFrom: 0 }, 1_000), 'warning')
  },
)
