import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  t.match(await loadReceiverConfig(city.config), {
    broker: { url: brokerUrl, topicPrefix: 'roadveil', caFile: city.ca, keyFile: city.key },
    devicesDirectory: city.devices,
    identityFile: city.identity,
    receiptKeyFile: city.receiptKey,
    commands: {
      commandKeyFile: city.commandKey,
      certificateFile: city.commanderCertificate,
      keyFile: city.commanderKey,
    },
    outputDirectory: city.evidence,
    stateDirectory: city.state,
    quarantineMaxMiB: 1024,
  })
})

await t.test('a wrong config is refused with every fault, its line and what is expected there', async (t) => {
  const { city } = await trialIn(t.testdir())
  const right = parse(readFileSync(city.config, 'utf8')) as Record<string, unknown>
  const refused = async (change: object, ...faults: RegExp[]): Promise<void> => {
    writeFileSync(city.config, stringify({ ...right, ...change }))
    const error: unknown = await loadReceiverConfig(city.config).catch((error: unknown) => error)
    t.match(error, { code: 'ERR_CONFIG_INVALID', exitCode: 3 })
    for (const fault of faults) t.match((error as Error).message, fault)
  }
  await refused(
    { quarantineMaxMiB: 0, identityFile: '' },
    /line \d+: quarantineMaxMiB: must be a whole number from 1 to 1048576 \(got 0\)/,
    /line \d+: identityFile: must be a file name/,
  )
  const broker = right['broker'] as object
  await refused(
    { broker: { ...broker, url: 'mqtt://localhost' } },
    /broker\.url: must be mqtts:\/\/host:port/,
  )
  await refused({ broker: { ...broker, topicPrefix: 'a/#' } }, /broker\.topicPrefix: must be words/)
  await refused({ surprise: 1 }, /surprise: unknown key/)
  await refused({ outputDirectory: undefined, outputDirectry: 'x' }, /did you mean "outputDirectory"/)
  await refused(
    { outputDirectory: undefined, broker: { ...broker, sharedGroup: 'city' } },
    /line \d+: broker\.sharedGroup: needs a database/,
    /outputDirectory: is missing: opened evidence goes there or to a bucket/,
  )
  const bucket = { name: 'evidence', accessKeyFile: 'id', secretKeyFile: 'secret' }
  await refused(
    { bucket: { ...bucket, endpoint: 'https://s3.example' } },
    /bucket: stands beside outputDirectory/,
  )
  await refused(
    { bucket: { ...bucket, endpoint: 'http://s3.example' } },
    /bucket\.endpoint: must be https:\/\/host:port, or http:\/\/ for this machine/,
  )
  writeFileSync(city.config, ': : :\n- [')
  await t.rejects(loadReceiverConfig(city.config), { code: 'ERR_CONFIG_SYNTAX' })
  await t.rejects(loadReceiverConfig(`${city.config}.not`), { code: 'ERR_CONFIG_MISSING' })
})

await t.test('a receiver of several names its files beside the config, too', async (t) => {
  const { city } = await trialIn(t.testdir())
  const right = parse(readFileSync(city.config, 'utf8')) as { broker: object }
  const shared = {
    ...right,
    broker: { ...right.broker, clientId: 'receiver-2', sharedGroup: 'city' },
    database: { urlFile: 'database.url' },
    outputDirectory: undefined,
    bucket: {
      ...{ endpoint: 'http://[::1]:9000', name: 'evidence' },
      ...{ accessKeyFile: 'bucket.id', secretKeyFile: 'bucket.secret' },
    },
  }
  writeFileSync(city.config, stringify(shared))
  const file = (name: string): string => join(city.directory, name)
  t.match(await loadReceiverConfig(city.config), {
    broker: { clientId: 'receiver-2', sharedGroup: 'city' },
    database: { urlFile: file('database.url') },
    bucket: { region: 'us-east-1', accessKeyFile: file('bucket.id'), secretKeyFile: file('bucket.secret') },
  })
})

await t.test('the receiver does not start with an identity that others may read', async (t) => {
  const { city } = await trialIn(t.testdir())
  chmodSync(city.identity, 0o644)
  const receiver = createReceiver(await loadReceiverConfig(city.config), {
    logger: keptLog(),
    now: Date.now,
    env: {},
  })
  await t.rejects(receiver.run(new AbortController().signal), { code: 'ERR_SECRET_FILE' })
})
