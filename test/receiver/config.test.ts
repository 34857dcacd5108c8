import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { parse, stringify } from 'yaml'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { createTrial } from '../../src/trial/trial.ts'
import { keptLog } from '../support/kept-log.ts'

const trialIn = (directory: string) =>
  createTrial(directory, {
    site: 'hill-street',
    device: 'box-1',
    topicPrefix: 'roadveil',
    hosts: ['localhost'],
    port: 8883,
    now: new Date(),
  })

await t.test('the config of a trial is right and names its own files', async (t) => {
  const { city, brokerUrl } = await trialIn(t.testdir())
  t.match(loadReceiverConfig(city.config), {
    broker: { url: brokerUrl, topicPrefix: 'roadveil', caFile: city.ca, keyFile: city.key },
    devicesDirectory: city.devices,
    identityFile: city.identity,
    receiptKeyFile: city.receiptKey,
    outputDirectory: city.evidence,
    stateDirectory: city.state,
    quarantineMaxMiB: 1024,
  })
})

await t.test('a wrong config is refused with every fault', async (t) => {
  const { city } = await trialIn(t.testdir())
  const right = parse(readFileSync(city.config, 'utf8')) as Record<string, unknown>
  const refused = (change: object, ...faults: RegExp[]): void => {
    writeFileSync(city.config, stringify({ ...right, ...change }))
    try {
      loadReceiverConfig(city.config)
      t.fail('it was taken')
    } catch (error) {
      t.match(error, { code: 'ERR_RECEIVER_CONFIG', exitCode: 3 })
      for (const fault of faults) t.match((error as Error).message, fault)
    }
  }
  refused({ quarantineMaxMiB: 0, identityFile: '' }, /quarantineMaxMiB/, /identityFile/)
  refused({ broker: { ...(right['broker'] as object), url: 'mqtt://localhost' } }, /broker\.url/)
  refused({ broker: { ...(right['broker'] as object), topicPrefix: 'a/#' } }, /broker\.topicPrefix/)
  refused({ surprise: 1 }, /surprise/)
  writeFileSync(city.config, ': : :\n- [')
  t.throws(() => loadReceiverConfig(city.config), { code: 'ERR_RECEIVER_CONFIG' })
  t.throws(() => loadReceiverConfig(`${city.config}.not`), { code: 'ERR_RECEIVER_CONFIG' })
})

await t.test('the receiver does not start with an identity that others may read', async (t) => {
  const { city } = await trialIn(t.testdir())
  chmodSync(city.identity, 0o644)
  const receiver = createReceiver(loadReceiverConfig(city.config), {
    logger: keptLog(),
    now: Date.now,
    env: {},
  })
  await t.rejects(receiver.run(new AbortController().signal), { code: 'ERR_SECRET_FILE' })
})
