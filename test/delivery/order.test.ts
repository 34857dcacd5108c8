import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { RoadveilError } from '../../src/errors.ts'
import { type ConnectBroker, connectBroker } from '../../src/protocol/connection.ts'
import { setUpStreet, type Street } from '../support/delivery.ts'
import { until } from '../support/until.ts'

const delivered = ({ store }: Street): boolean => store.inventory.counts().pending === 0
const arrived = ({ stored }: Street): string[] => stored.map(({ evidenceId }) => evidenceId)

/** A broker that ends the connection whenever a message is sent with such a topic. */
function hangingUpAt(isPoison: (topic: string) => boolean): ConnectBroker {
  return async (options, signal) => {
    const connection = await connectBroker(options, signal)
    return {
      ...connection,
      async publish(topic, ...rest) {
        if (isPoison(topic)) {
          await connection[Symbol.asyncDispose]()
          throw new RoadveilError('ERR_BROKER_LOST', 'the connection to the broker was closed')
        }
        return connection.publish(topic, ...rest)
      },
      [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
    }
  }
}

await t.test(
  'evidence arrives in the order of storing, large and small, over connections that break',
  async (t) => {
    await using street = await setUpStreet(t.testdir())
    const ids: string[] = []
    for (const bytes of [2_000_000, 300, 900_000, 300, 300, 400_000, 300, 1_500_000, 300, 300])
      ids.push((await street.commit(bytes)).evidenceId)
    street.startCity()
    street.startBox()
    for (const there of [2, 5]) {
      await until('some of it is there', () => street.stored.length >= there)
      await street.broker.kill()
      await street.broker.restart()
    }
    await until('everything is there', () => delivered(street))
    t.same(arrived(street), ids)
    t.notOk(street.log.lines.some(({ message }) => message === 'evidence was set aside'))
  },
)

await t.test(
  'evidence goes on its way while the one before, which the city has, is still in the store',
  async (t) => {
    const storedWhenSent = new Map<string, number>()
    const noting: ConnectBroker = async (options, signal) => {
      const connection = await connectBroker(options, signal)
      return {
        ...connection,
        publish(topic, ...rest) {
          const pending = street.store.inventory.counts().pending
          if (topic.includes('/chunk/')) storedWhenSent.set(topic, pending)
          return connection.publish(topic, ...rest)
        },
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      }
    }
    await using street = await setUpStreet(t.testdir(), { connect: noting })
    const ids: string[] = []
    for (let index = 0; index < 8; index++) ids.push((await street.commit(300)).evidenceId)
    street.startCity()
    street.startBox()
    await until('everything is there', () => delivered(street))
    t.same(arrived(street), ids)
    const unsettled = [...storedWhenSent.values()].map((pending, index) => pending - (ids.length - index))
    t.equal(unsettled.length, ids.length)
    t.ok(
      unsettled.some((count) => count > 0),
      `more was in the store than was to be sent: ${unsettled.join(', ')}`,
    )
  },
)

await t.test('what the city left unanswered while it was away goes before what came later', async (t) => {
  await using street = await setUpStreet(t.testdir())
  // The broker keeps for it what comes while it is away.
  const before = street.startCity()
  await until('the city listens', () => street.log.lines.some(({ message }) => /connected/.test(message)))
  await before.stop()
  const ids: string[] = []
  const { forwarder } = street.startBox({
    answerMs: 300,
    patienceMs: 300,
    retry: { firstMs: 60_000, mostMs: 60_000 },
  })
  for (let index = 0; index < 9; index++) ids.push((await street.commit(300)).evidenceId)
  forwarder.wake()
  await until(
    'the box has tried them all in vain',
    () => street.store.inventory.setAside()[0]?.count === ids.length,
  )
  street.startCity()
  ids.push((await street.commit(300)).evidenceId)
  forwarder.wake()
  await until('everything is there', () => delivered(street))
  t.same(arrived(street), ids)
})

await t.test(
  'evidence that the city alone leaves unanswered has its place back a few times only',
  async (t) => {
    const silent: string[] = []
    const connect: ConnectBroker = async (options, signal) => {
      const connection = await connectBroker(options, signal)
      return {
        ...connection,
        // The broker takes it, and nobody hears of it.
        publish: async (...message) =>
          silent.some((id) => message[0].includes(id)) ? undefined : connection.publish(...message),
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      }
    }
    await using street = await setUpStreet(t.testdir(), { connect })
    for (let index = 0; index < 5; index++) silent.push((await street.commit(300)).evidenceId)
    street.startCity()
    const { forwarder } = street.startBox({
      answerMs: 100,
      patienceMs: 200,
      retry: { firstMs: 60_000, mostMs: 60_000 },
    })
    const areAside = (): boolean => street.store.inventory.setAside()[0]?.count === silent.length
    for (let good = 1; good <= 6; good++) {
      await until('the city leaves them unanswered', areAside)
      await street.commit(300)
      forwarder.wake()
      await until('another one is there', () => street.stored.length === good)
    }
    const triedInOrder = (id: string): number =>
      street.log.lines.filter(
        ({ message, fields }) => message === 'evidence was set aside' && fields?.evidenceId === id,
      ).length
    const times = silent.map(triedInOrder)
    t.ok(Math.max(...times) <= 4, `set aside at first and after three returns: ${times.join(', ')}`)
    t.ok(Math.min(...times) > 1, 'the city might have been away')
  },
)

await t.test(
  'evidence at which the broker hangs up is set aside with a code, and the others flow',
  async (t) => {
    let poison = 'nothing yet'
    await using street = await setUpStreet(t.testdir(), {
      connect: hangingUpAt((topic) => topic.includes(poison)),
    })
    const [bad, ...good] = [await street.commit(300), await street.commit(300), await street.commit(300)]
    poison = `${bad.evidenceId}/chunk`
    street.startCity()
    street.startBox({ retry: { firstMs: 60_000, mostMs: 60_000 } })
    await until('the others are there', () => street.stored.length === good.length)
    await until('it is set aside', () => street.store.inventory.setAside().length > 0)
    t.same(street.store.inventory.setAside(), [{ code: 'ERR_BROKER_HANGS_UP', count: 1 }])
    t.notOk(delivered(street))
  },
)

await t.test(
  'what is on its way beside evidence at which the broker hangs up is not blamed, and stays in order',
  async (t) => {
    let poison: readonly string[] = []
    const connect: ConnectBroker = async (options, signal) => {
      const connection = await hangingUpAt((topic) => poison.some((id) => topic.includes(id)))(
        options,
        signal,
      )
      return {
        ...connection,
        // A slow link: the others are still on their way when it breaks.
        async publish(...message) {
          await sleep(poison.some((id) => message[0].includes(id)) ? 20 : 60)
          return connection.publish(...message)
        },
        [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
      }
    }
    await using street = await setUpStreet(t.testdir(), { connect })
    const ids: string[] = []
    for (let index = 0; index < 12; index++) ids.push((await street.commit(300)).evidenceId)
    poison = ids.filter((_, index) => [2, 4, 5].includes(index))
    street.startCity()
    street.startBox({ retry: { firstMs: 60_000, mostMs: 60_000 } })
    const good = ids.filter((id) => !poison.includes(id))
    await until('the others are there', () => street.stored.length === good.length)
    t.same(arrived(street), good)
    const setAside = street.log.lines.filter(({ message }) => message === 'evidence was set aside')
    t.same(
      setAside.map(({ fields }) => fields?.evidenceId),
      poison,
    )
  },
)

await t.test('evidence that no packet can carry is not announced: the city would wait for it', async (t) => {
  await using street = await setUpStreet(t.testdir(), {
    connect: async (options, signal) => {
      const connection = await connectBroker(options, signal)
      const checkSize = (_: string, bytes: number): void => {
        if (bytes > 50_000) throw new RoadveilError('ERR_MESSAGE_TOO_LARGE', 'too large')
      }
      return { ...connection, checkSize, [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose]() }
    },
  })
  const large = await street.commit(100_000)
  const at = Date.now()
  const about = { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at }
  street.store.evidence.commit(
    { ...(await street.seal({ clipBytes: 300 })), manifest: randomBytes(500) },
    about,
  )
  const small = await street.commit(300)
  street.startCity()
  street.startBox({ answerMs: 100 })
  await until('the small one is there', () => street.stored.length === 1)
  t.same(arrived(street), [small.evidenceId])
  await until('both others are set aside', () => street.store.inventory.setAside().length === 2)
  t.match(street.store.inventory.setAside(), [
    { code: 'ERR_MESSAGE_TOO_LARGE' },
    { code: 'ERR_RECEIPT_MISSING' },
  ])
  t.notOk(
    street.log.lines.some(
      ({ message, fields }) => message === 'evidence was stored' && fields?.evidenceId === large.evidenceId,
    ),
  )
})
