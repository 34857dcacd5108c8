import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkpoint } from '../domain/checkpoint.ts'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_CHECKPOINT_BYTES } from '../protocol/limits.ts'
import { checkpointSchema, verifyCheckpoint } from '../sealing/checkpoint.ts'
import { parseStrictJson } from '../sealing/json.ts'
import { judgeContinuity } from './continuity.ts'
import type { DeviceKeys } from './devices.ts'
import { makeFolder, readIfThere, replaceFile, writeFolder } from './files.ts'

/** The city's memory of the boxes' audit logs. */
export interface Witness {
  /**
   * Checks a checkpoint and keeps it. One that contradicts the last of the same box raises an alarm: both are set aside, and what
   * comes next is measured by the new one, so that one alarm is one event.
   *
   * @throws RoadveilError what `verifyCheckpoint` throws, ERR_MESSAGE, ERR_DEVICE_UNKNOWN, ERR_OUTPUT_FAILED.
   */
  take(from: { readonly site: string; readonly device: string }, payload: Buffer): Promise<void>
}

/**
 * Creates a witness that keeps `<state>/checkpoints/<device>/latest.dsse.json`, which `roadveil audit verify --checkpoint` takes, and
 * `<state>/alarms/<device>.<time>/` for each contradiction.
 */
export function createWitness(
  stateDirectory: string,
  {
    deviceKeys,
    logger,
    now,
  }: { readonly deviceKeys: DeviceKeys; readonly logger: Logger; readonly now: () => number },
): Witness {
  const folderOf = (device: string): string => join(stateDirectory, 'checkpoints', device)

  const keep = async (checkpoint: Checkpoint, envelope: Buffer): Promise<void> => {
    const folder = folderOf(checkpoint.device)
    await replaceFile(join(folder, LATEST_ENVELOPE), envelope)
    // Last: it is what the next one is measured by.
    await replaceFile(join(folder, LATEST), Buffer.from(JSON.stringify(checkpoint)))
  }

  const raise = async (alarm: RoadveilError, last: Checkpoint, envelope: Buffer): Promise<void> => {
    const { device, site } = last
    const at = new Date(now()).toISOString()
    logger.error('ALARM: the audit log of a box contradicts what was witnessed', {
      device,
      site,
      error: alarm,
    })
    const alarms = join(stateDirectory, 'alarms')
    if ((await namesIn(alarms)).filter((name) => name.startsWith(`${device}.`)).length >= MAX_ALARMS) return
    const reason = { device, site, at, code: alarm.code, reason: alarm.message, hint: alarm.hint }
    const before = await readIfThere(join(folderOf(device), LATEST_ENVELOPE))
    await writeFolder(join(alarms, `${device}.${at.replaceAll(':', '')}`), [
      { name: 'reason.json', bytes: Buffer.from(JSON.stringify(reason, null, 2) + '\n') },
      { name: 'witnessed.dsse.json', bytes: before ?? Buffer.from('') },
      { name: 'received.dsse.json', bytes: envelope },
    ])
  }

  return {
    async take({ site, device }, payload) {
      if (payload.length > MAX_CHECKPOINT_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `a checkpoint has ${payload.length} bytes`)
      }
      const next = verifyCheckpoint(payload, { deviceId: device, deviceKeys: deviceKeys(device) })
      if (next.site !== site) {
        throw new RoadveilError(
          'ERR_CHECKPOINT_INVALID',
          'a checkpoint came under a topic that it is not about',
        )
      }
      const last = await readLast(join(folderOf(device), LATEST))
      const verdict = last ? judgeContinuity(last, next) : 'next'
      if (verdict === 'old') return
      if (last && verdict !== 'next') await raise(verdict, last, payload)
      await keep(next, payload)
      logger.info('a checkpoint was witnessed', { device, site, sequence: next.head.sequence })
    },
  }
}

/** Of one device: a box gone mad must not fill the disk. Later ones are in the log. */
const MAX_ALARMS = 100
const LATEST = 'latest.json'
const LATEST_ENVELOPE = 'latest.dsse.json'

async function namesIn(folder: string): Promise<string[]> {
  await makeFolder(folder)
  return readdir(folder)
}

async function readLast(file: string): Promise<Checkpoint | undefined> {
  const bytes = await readIfThere(file)
  if (!bytes) return undefined
  return parseStrictJson(bytes, checkpointSchema, {
    maxBytes: MAX_CHECKPOINT_BYTES,
    code: 'ERR_CHECKPOINT_INVALID',
    what: file,
  })
}
