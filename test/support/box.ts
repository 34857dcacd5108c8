import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { configSchema } from '../../src/config/schema.ts'
import { createTrial, type Trial } from '../../src/trial/trial.ts'
import { tellHandled } from './handled.ts'

export interface BoxNames {
  readonly site: string
  readonly device: string
}

/** The settings of the box of a trial, as its config file has them: everything in the trial's folder. */
export function boxSettings(
  { box, ...trial }: Trial,
  names: BoxNames,
  cameras: readonly object[] = [{ id: 'bus-stop', url: 'rtsp://127.0.0.1:1/stream' }],
) {
  return {
    site: { id: names.site, name: 'Main Street 1', timeZone: 'Europe/Berlin' },
    device: { id: names.device, signingKeyFile: box.signingKey, keyFile: box.deviceKey },
    cameras,
    store: { file: join(box.directory, 'state', 'store.db'), keyFile: box.databaseKey },
    runtimeDirectory: join(box.directory, 'run'),
    city: {
      recipients: trial.recipients,
      receiptKeys: [{ id: trial.receiptKeyId, publicKeyFile: box.receiptPublicKey }],
      commandKeys: [{ id: trial.commandKeyId, publicKeyFile: box.commandPublicKey }],
    },
    broker: {
      url: trial.brokerUrl,
      topicPrefix: trial.topicPrefix,
      caFile: box.ca,
      certificateFile: box.certificate,
      keyFile: box.key,
    },
  }
}

/** The config of the box of a trial: one camera `bus-stop`, everything in the trial's folder. */
export function boxConfig(
  trial: Trial,
  names: BoxNames,
  changes: { readonly maxSizeMiB?: number } = {},
): Config {
  const written = boxSettings(trial, names)
  const sha256 = createHash('sha256').update(JSON.stringify(written)).digest('hex')
  const config = resolveConfig(configSchema.parse(written), trial.box.directory, sha256)
  // The schema allows no store as small as a test wants it.
  const maxSizeMiB = changes.maxSizeMiB ?? config.store.maxSizeMiB
  return { ...config, store: { ...config.store, maxSizeMiB } }
}

/** A trial whose broker does not run: nothing listens on its port. */
export async function brokerlessTrial(folder: string, names: BoxNames): Promise<Trial> {
  const trial = await createTrial(join(folder, 'trial'), {
    ...names,
    topicPrefix: 'roadveil',
    hosts: ['127.0.0.1'],
    port: 1,
    now: new Date(),
  })
  tellHandled({ kind: 'trial', trial })
  return trial
}

/** Writes the config file of a trial's box, and makes the folder of its store. */
export function writeBox(trial: Trial, names: BoxNames): void {
  mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
  writeFileSync(trial.box.config, JSON.stringify(boxSettings(trial, names)))
}
