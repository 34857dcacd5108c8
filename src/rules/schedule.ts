import type { EpochMs } from '../domain/frame.ts'
import { DAYS, type Day, type ScheduleSlot } from '../domain/rule.ts'

/** Local time as a schedule needs it. */
export interface LocalTime {
  readonly day: Day
  /** Minutes after local midnight, 0-1439, as the wall clock shows them. */
  readonly minute: number
}

/** Tells the wall-clock time of a zone; daylight saving comes from the time zone database of the runtime. */
export function createLocalClock(timeZone: string): (at: EpochMs) => LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  return (at) => {
    const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]))
    const name = (parts.get('weekday') ?? '').toLowerCase()
    const day = DAYS.find((candidate) => candidate === name)
    if (!day) throw new RangeError(`no weekday in the local time of ${timeZone}`)
    return { day, minute: Number(parts.get('hour')) * 60 + Number(parts.get('minute')) }
  }
}

/**
 * Whether a schedule holds at a local time. An empty one always holds. A slot that ends before it begins goes on past
 * midnight and belongs to the day on which it began. On the days on which the clock is changed the wall clock decides: a
 * skipped hour is in no slot, a doubled one twice.
 */
export function isScheduled(schedule: readonly ScheduleSlot[], { day, minute }: LocalTime): boolean {
  if (schedule.length === 0) return true
  const yesterday = DAYS[(DAYS.indexOf(day) + DAYS.length - 1) % DAYS.length]
  return schedule.some(({ days, fromMinute, toMinute }) => {
    if (fromMinute < toMinute) return days.includes(day) && minute >= fromMinute && minute < toMinute
    return (
      (days.includes(day) && minute >= fromMinute) ||
      (yesterday !== undefined && days.includes(yesterday) && minute < toMinute)
    )
  })
}
