import { existsSync } from 'node:fs'
import { mkdir, readdir } from 'node:fs/promises'
import { join, relative, resolve } from 'node:path'
import { RoadveilError } from '../errors.ts'
import { createDatabaseKey } from '../sealing/database-key.ts'
import { createSigningKey } from '../sealing/keys.ts'
import { createPublicFile } from '../sealing/secret.ts'
import type { BoxFiles } from '../trial/layout.ts'
import { createTrial } from '../trial/trial.ts'
import { boxConfig, type BoxConfigValues } from './init-config.ts'
import type { InitOptions } from './init-options.ts'
import type { Output } from './output.ts'

/** Makes the folder of a box: keys, and a config that lacks what only the city can give. */
export async function initBox(shown: string, options: InitOptions, output: Output): Promise<void> {
  const directory = resolve(shown)
  await refuseFull(directory)
  const at = (...parts: string[]): string => join(directory, ...parts)
  for (const name of ['keys', 'pki', 'city', 'state', 'run']) {
    await mkdir(at(name), { recursive: true, mode: 0o700 })
  }
  const publicKey = at(`${options.device}.pem`)
  createSigningKey({ privateFile: at('keys', 'device.pem'), publicFile: publicKey })
  const files: BoxFiles = {
    directory,
    config: at('roadveil.yaml'),
    signingKey: at('keys', 'device.pem'),
    databaseKey: at('keys', 'database.key'),
    deviceKey: at('keys', 'device.key'),
    ca: at('pki', 'ca.pem'),
    certificate: at('pki', 'device.pem'),
    key: at('pki', 'device.key'),
    receiptPublicKey: at('city', 'receipt.pem'),
    commandPublicKey: at('city', 'command.pem'),
  }
  const { databaseKey, deviceKey } = files
  await createDatabaseKey({ databaseKey, deviceKey })
  writeConfig(files, options, { brokerUrl: `mqtts://${options.brokerHost}:${options.brokerPort}` })
  if (options.json) {
    output.json({ directory, config: files.config, publicKey })
    return
  }
  const config = join(shown, 'roadveil.yaml')
  output.answer(`${config} and the keys of ${options.device} are made.`)
  output.answer('')
  output.answer('Next:')
  output.answer(`  1. Give the city ${join(shown, `${options.device}.pem`)}: it recognizes this box by it.`)
  output.answer(
    `  2. Get from the city: its two age recipients, receipt.pem and command.pem in ${join(shown, 'city')} and the keys' ids,`,
  )
  output.answer(`     and for the broker ca.pem, device.pem and device.key in ${join(shown, 'pki')}.`)
  output.answer(`  3. Set camera, zones and rules in ${config}.`)
  output.answer(`  4. roadveil check --config ${config}`)
  output.answer(
    `  5. roadveil key rewrap --config ${config}: wraps the database key for the city's recovery key, too.`,
  )
}

/** Makes a trial: a box, a broker and a city on one machine. */
export async function initTrial(shown: string, options: InitOptions, output: Output): Promise<void> {
  const directory = resolve(shown)
  await refuseFull(directory)
  const { site, device, topicPrefix, brokerHost, brokerPort } = options
  const hosts: [string, ...string[]] = [...new Set([brokerHost, 'localhost', '127.0.0.1'])] as [
    string,
    ...string[],
  ]
  const trial = await createTrial(directory, {
    site,
    device,
    topicPrefix,
    hosts,
    port: brokerPort,
    now: new Date(),
  })
  for (const name of ['state', 'run']) await mkdir(join(trial.box.directory, name), { mode: 0o700 })
  writeConfig(trial.box, options, trial)
  if (options.json) {
    output.json({
      directory,
      config: trial.box.config,
      receiverConfig: trial.city.config,
      brokerConfig: trial.broker.config,
      evidence: trial.city.evidence,
    })
    return
  }
  const name = (file: string): string => join(shown, relative(directory, file))
  const config = name(trial.box.config)
  output.answer(`A trial is set up in ${shown}: box, city, broker, and the authority that certifies them.`)
  output.answer('')
  output.answer('Next:')
  output.answer(`  1. Set camera, zones and rules in ${config}`)
  output.answer(`  2. roadveil check --config ${config}`)
  output.answer(`  3. mosquitto -c ${name(trial.broker.config)}`)
  output.answer(`  4. roadveil receive --config ${name(trial.city.config)}`)
  output.answer(`  5. roadveil run --config ${config}`)
  output.answer(`Opened evidence comes to ${name(trial.city.evidence)}.`)
}

type City = Pick<BoxConfigValues, 'brokerUrl'> &
  Partial<Pick<BoxConfigValues, 'recipients'>> & {
    readonly receiptKeyId?: string
    readonly commandKeyId?: string
  }

function writeConfig(files: BoxFiles, options: InitOptions, city: City): void {
  const local = (file: string): string => relative(files.directory, file)
  const text = boxConfig({
    site: options.site,
    device: options.device,
    timeZone: options.timeZone,
    cameraUrl: options.camera,
    signingKeyFile: local(files.signingKey),
    databaseKeyFile: local(files.databaseKey),
    deviceKeyFile: local(files.deviceKey),
    brokerUrl: city.brokerUrl,
    topicPrefix: options.topicPrefix,
    caFile: local(files.ca),
    certificateFile: local(files.certificate),
    certificateKeyFile: local(files.key),
    ...(city.recipients && { recipients: city.recipients }),
    ...(city.receiptKeyId !== undefined && {
      receiptKey: { id: city.receiptKeyId, file: local(files.receiptPublicKey) },
    }),
    ...(city.commandKeyId !== undefined && {
      commandKey: { id: city.commandKeyId, file: local(files.commandPublicKey) },
    }),
  })
  createPublicFile(files.config, Buffer.from(text))
}

async function refuseFull(directory: string): Promise<void> {
  if (!existsSync(directory)) return
  const names = await readdir(directory).catch(() => ['a file'])
  if (names.length > 0)
    throw new RoadveilError('ERR_ALREADY_THERE', `${directory} is there already and not empty`)
}
