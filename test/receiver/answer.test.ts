import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { setUpCommanded } from '../support/commanded.ts'
import { cityOf, HOLD as hold } from '../support/commanding-city.ts'
import { until } from '../support/until.ts'

await t.test('commander and receiver both hear of each answer, and neither misses it', async (t) => {
  await using box = await setUpCommanded(t)
  await box.startVault()
  const city = await cityOf(box)
  await using receiver = await city.startReceiver()
  t.ok(receiver)
  for (let n = 0; n < 15; n++) {
    const { commandId, answer, unkept } = await city.send({ ...hold, caseNumber: `${n}/26` }, 4000)
    t.match(answer, { outcome: 'done', commandId })
    t.equal(unkept, undefined)
  }
  t.equal(city.filed().length, 30)
  const failed = city.log.lines.filter(({ message }) => message === 'a message was not taken')
  t.same(failed, [])
})

await t.test('an answer that cannot be kept is told all the same, and that it was not kept', async (t) => {
  await using box = await setUpCommanded(t)
  const city = await cityOf(box)
  // The broker knows the box, and keeps what comes for it.
  await (
    await box.startVault()
  )()
  const sent = city.send(hold)
  await until('the command is kept', () => city.filed().length === 1)
  const [command = ''] = city.filed()
  mkdirSync(join(city.config.stateDirectory, 'commands', dirname(command), 'answer.dsse.json'))
  await box.startVault()
  t.match(await sent, { answer: { outcome: 'done' }, unkept: { code: 'ERR_OUTPUT_FAILED' } })
})
