import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { DEVICE, setUpStreet, SITE, type Street } from '../support/delivery.ts'
import { until } from '../support/until.ts'

const empty = ({ store }: Street): boolean => store.inventory.counts().pending === 0

await t.test('evidence goes to the city, is opened, confirmed, and is gone from the box', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const sealed = await street.commit()
  street.startCity()
  const { forwarder } = street.startBox()
  await until('the outbox is empty', () => empty(street))

  t.match(street.stored, [{ evidenceId: sealed.evidenceId, device: DEVICE, site: SITE }])
  t.equal(forwarder.state().settled, 1)
  t.throws(() => street.store.outbox.manifest(sealed.evidenceId), { code: 'ERR_EVIDENCE_UNKNOWN' })

  const folder = join(street.trial.city.evidence, SITE, DEVICE, sealed.evidenceId)
  t.equal(street.stored[0]?.location, folder)
  t.strictSame(readdirSync(folder).sort(), [
    'before.jpg',
    'clip.mp4',
    'during.jpg',
    'evidence.json',
    'plate.png',
    'sealed',
  ])
  t.equal(statSync(folder).mode & 0o777, 0o700)
  t.equal(statSync(join(folder, 'clip.mp4')).mode & 0o777, 0o600)
  t.strictSame(readdirSync(join(street.config.stateDirectory, 'incoming')), [])

  const tar = execFileSync('age', ['-d', '-i', street.trial.city.identity, 'evidence.tar.age'], {
    cwd: join(folder, 'sealed'),
  })
  const listed = execFileSync('tar', ['-xO', 'evidence.json'], { input: tar })
  const facts = readFileSync(join(folder, 'evidence.json'), 'utf8')
  t.strictSame(JSON.parse(listed.toString()), JSON.parse(facts), 'the standard age program opens the copy')
})

await t.test(
  'what was committed while there was no broker and no city arrives when they are there',
  async (t) => {
    await using street = await setUpStreet(t.testdir())
    await street.broker.kill()
    const { forwarder } = street.startBox({ answerMs: 100 })
    const ids = new Set<string>()
    for (let index = 0; index < 6; index++) ids.add((await street.commit(300_000)).evidenceId)
    await until('the failure shows', () => forwarder.state().lastErrorCode === 'ERR_BROKER_UNREACHABLE')
    await street.broker.restart()
    await until('the silence shows', () => forwarder.state().lastErrorCode === 'ERR_RECEIPT_MISSING')
    street.startCity()
    await until('the outbox is empty', () => empty(street))
    t.strictSame(new Set(street.stored.map(({ evidenceId }) => evidenceId)), ids)
    t.equal(street.stored.length, 6)
  },
)

await t.test('a broker that is killed again and again in the middle loses and doubles nothing', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.startCity()
  street.startBox()
  const ids = new Set<string>()
  for (let kills = 0; kills < 3; kills++) {
    const before = street.stored.length
    for (let index = 0; index < 3; index++) ids.add((await street.commit(1_000_000)).evidenceId)
    await until('some of it is there', () => street.stored.length > before)
    await street.broker.kill()
    await street.broker.restart()
  }
  await until('the outbox is empty', () => empty(street))
  t.strictSame(new Set(street.stored.map(({ evidenceId }) => evidenceId)), ids)
  t.equal(street.stored.length, ids.size)
})

await t.test('after a break nothing is sent again that the city has', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const sealed = await street.commit(4_000_000)
  const { outbox } = street.store
  const chunk = outbox.chunk.bind(outbox)
  const sent: number[] = []
  Object.assign(outbox, {
    chunk: (id: string, index: number) => {
      sent.push(index)
      return chunk(id, index)
    },
  })
  const incoming = join(street.config.stateDirectory, 'incoming', DEVICE, sealed.evidenceId)
  street.startCity()
  const box = street.startBox()
  await until('some chunks are there', () => countFiles(incoming) > 5)
  await street.broker.kill()
  await box.stop()
  await until('the city has noticed', () => street.log.lines.some(({ message }) => /^no conn/.test(message)))
  const there = readdirSync(incoming).map((name) => Number(name.replace('chunk-', '')))
  sent.length = 0
  await street.broker.restart()
  street.startBox()
  await until('the outbox is empty', () => empty(street))
  t.equal(street.stored.length, 1)
  t.strictSame(
    sent.filter((index) => there.includes(index)),
    [],
  )
  t.ok(sent.length < sealed.chunks.length)
})

await t.test('a city that is restarted in the middle goes on with what it has', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const sealed = await street.seal({ clipBytes: 900_000 })
  await using box = await street.connectAs('box')
  const topic = `roadveil/v1/${SITE}/${DEVICE}/evidence/${sealed.evidenceId}`
  const incoming = join(street.config.stateDirectory, 'incoming', DEVICE, sealed.evidenceId)
  const first = street.startCity()
  await until('the city listens', () => street.log.lines.some(({ message }) => /connected/.test(message)))
  await box.publish(`${topic}/manifest`, Buffer.from(sealed.manifest))
  for (const index of [0, 2, 4]) {
    await box.publish(`${topic}/chunk/${index}`, Buffer.from(sealed.chunks[index] ?? []))
  }
  await until('three chunks are there', () => countFiles(incoming) === 4)
  await first.stop()

  const asked: number[][] = []
  await using listener = await street.connectAs(
    'box',
    [`roadveil/v1/${SITE}/${DEVICE}/receipt/+`],
    ({ payload }) => {
      const envelope = JSON.parse(payload.toString()) as { payload: string }
      const receipt = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as { missing?: number[] }
      asked.push(receipt.missing ?? [])
    },
  )
  street.startCity()
  await until('it asks', () => asked.length > 0)
  const expected = [...sealed.chunks.keys()].filter((index) => ![0, 2, 4].includes(index))
  t.strictSame(asked[0], expected)
  for (const index of expected) {
    await listener.publish(`${topic}/chunk/${index}`, Buffer.from(sealed.chunks[index] ?? []))
  }
  await until('it is stored', () => street.stored.length === 1)
  await until('it says so', () => asked.at(-1)?.length === 0)
})

function countFiles(folder: string): number {
  try {
    return readdirSync(folder).length
  } catch {
    return 0
  }
}
