import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { verifyAnswer } from '../../src/sealing/answer.ts'
import { createSigningKey } from '../../src/sealing/keys.ts'
import { verifyPurgeCertificate } from '../../src/sealing/purge-certificate.ts'
import { NAMES, setUpCommanded } from '../support/commanded.ts'
import { cityOf, HOLD as hold } from '../support/commanding-city.ts'
import type { keptLog } from '../support/kept-log.ts'
import { until } from '../support/until.ts'

await t.test('a command is sent, answered by the box, and kept with its answer', async (t) => {
  await using box = await setUpCommanded(t)
  await box.startVault()
  const city = await cityOf(box)
  const { commandId, answer } = await city.send(hold)
  t.match(answer, { outcome: 'done', commandId, changed: { held: 0 } })
  const folder = join(NAMES.site, NAMES.device, commandId)
  t.same(city.filed(), [join(folder, 'answer.dsse.json'), join(folder, 'command.dsse.json')])
  t.same(verifyAnswer(city.read(join(folder, 'answer.dsse.json')), city.sender), answer)

  t.match((await city.send(hold)).answer, { outcome: 'refused', code: 'ERR_HOLD_EXISTS' })
  t.match((await city.send({ kind: 'rotate-key', by: 'ada', reason: 'yearly' })).answer, { outcome: 'done' })
  // Without any receiver: the endorsement is retained, and taken before the answer counts.
  t.match((await city.send({ ...hold, caseNumber: '8/26' })).answer, { outcome: 'done' })
})

await t.test('a box that was away gets its commands from the receiver when it is back', async (t) => {
  await using box = await setUpCommanded(t)
  const city = await cityOf(box)
  await t.rejects(city.send(hold, 500), { code: 'ERR_ANSWER_MISSING', exitCode: 4 })
  // The broker forgets what it holds for a box.
  await box.broker.kill()
  await t.rejects(city.send({ ...hold, caseNumber: '8/26' }, 500), {
    code: 'ERR_ANSWER_MISSING',
    message: /could not be reached/,
  })
  await box.broker.restart()
  await using receiver = await city.startReceiver()
  t.ok(receiver)
  const stop = await box.startVault()
  await until('both are answered', () => city.filed().length === 4)
  for (const name of city.filed().filter((name) => name.endsWith('answer.dsse.json'))) {
    t.match(verifyAnswer(city.read(name), city.sender), { outcome: 'done' })
  }
  // What was answered is not sent again.
  await stop()
  await box.startVault()
  await until('it reported again', () => reports(city.log) === 3)
  t.equal((await box.status()).commands.done, 0)
})

/** How often a box came or went. */
function reports(log: ReturnType<typeof keptLog>): number {
  return log.lines.filter(({ message }) => message === 'a device reported').length
}

await t.test(
  'a city without a command key, or with one that the box does not know, is told so',
  async (t) => {
    await using box = await setUpCommanded(t)
    await box.startVault()
    const city = await cityOf(box)
    await t.rejects(city.send(hold, 1000, { commands: undefined }), {
      code: 'ERR_COMMAND_KEYLESS',
      exitCode: 3,
    })
    const commandKeyFile = join(city.config.stateDirectory, '..', 'other.key')
    createSigningKey({ privateFile: commandKeyFile, publicFile: `${commandKeyFile}.pub` })
    const commands = { ...city.config.commands, commandKeyFile }
    t.match((await city.send(hold, 5000, { commands })).answer, {
      outcome: 'refused',
      code: 'ERR_KEY_UNKNOWN',
    })
  },
)

await t.test('answers that are forged, foreign or unasked for are not kept', async (t) => {
  await using box = await setUpCommanded(t)
  await box.startVault()
  const city = await cityOf(box)
  await using receiver = await city.startReceiver()
  t.ok(receiver)
  // Not issued by this city: the box answers, the receiver keeps nothing of it.
  await box.command({ kind: 'rotate-key' })
  const ignored = () =>
    city.log.lines
      .filter(({ message }) => message === 'a message was not taken')
      .map(({ fields }) => fields?.error)
  await until('it is ignored', () => ignored().length === 1)
  t.match(ignored(), [{ code: 'ERR_ANSWER_INVALID' }])
})

await t.test('purge certificates come to the city, also those from while it was away', async (t) => {
  await using box = await setUpCommanded(t)
  const city = await cityOf(box)
  const early = await city.startReceiver()
  await box.startVault()
  const evidenceId = await box.deliver()
  const folder = join(city.config.stateDirectory, 'certificates', NAMES.device)
  const certificates = () =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.dsse.json'))
      .sort()
      .map((name) => verifyPurgeCertificate(readFileSync(join(folder, name)), city.sender))
  await until('the evidence is gone', async () => (await box.status()).store.tombstones === 1)
  await early[Symbol.asyncDispose]()
  const erase = { kind: 'erase', subject: { evidenceIds: [evidenceId] } } as const
  t.match((await city.send({ ...erase, by: 'ada', reason: 'request' })).answer, { outcome: 'done' })
  await using receiver = await city.startReceiver()
  t.ok(receiver)
  await until('the city has both', () => safely(certificates).length === 2)
  const kinds = certificates().flatMap(({ deletions }) =>
    deletions.map(({ kind, count }) => `${kind} ${count}`),
  )
  t.same(kinds.sort(), ['day-keys 1', 'evidence 1'])
})

function safely<T>(list: () => readonly T[]): readonly T[] {
  try {
    return list()
  } catch {
    return []
  }
}
