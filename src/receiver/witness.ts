import type { Checkpoint } from '../domain/checkpoint.ts'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_CHECKPOINT_BYTES } from '../protocol/limits.ts'
import { verifyCheckpoint } from '../sealing/checkpoint.ts'
import { judgeContinuity } from './continuity.ts'
import type { DeviceKeys } from './devices.ts'

/** The city's memory of the boxes' audit logs. */
export interface Witness {
  /**
   * Checks a checkpoint and keeps it. One that contradicts the last of the same box raises an alarm: both are set aside, and what
   * comes next is measured by the new one, so that one alarm is one event.
   *
   * @throws RoadveilError what `verifyCheckpoint` throws, ERR_MESSAGE, ERR_DEVICE_UNKNOWN, ERR_OUTPUT_FAILED, ERR_DATABASE_…
   */
  take(from: { readonly site: string; readonly device: string }, payload: Buffer): Promise<void>
}

/** What takes the place of the checkpoint that was kept. */
export interface Witnessed {
  readonly checkpoint: Checkpoint
  readonly envelope: Buffer
  /** Set where it contradicts the one before: both are set aside. */
  readonly alarm: RoadveilError | undefined
}

/** Where the last checkpoint of each device is kept, and the alarms. */
export interface CheckpointShelf {
  /**
   * Puts what `judge` makes of the last one in its place, and says whether that was something; nobody else changes anything of the
   * device meanwhile.
   */
  change(device: string, judge: (last: Checkpoint | undefined) => Witnessed | undefined): Promise<boolean>
}

/** What is said of an alarm for a human, as reason.json. */
export function alarmReason(alarm: RoadveilError, { device, site }: Checkpoint, at: string): string {
  const reason = { device, site, at, code: alarm.code, reason: alarm.message, hint: alarm.hint }
  return JSON.stringify(reason, null, 2) + '\n'
}

/** Of one device: a box gone mad must not fill the disk. Later ones are in the log. */
export const MAX_ALARMS = 100

/** Creates a witness over a shelf. */
export function createWitness(
  shelf: CheckpointShelf,
  { deviceKeys, logger }: { readonly deviceKeys: DeviceKeys; readonly logger: Logger },
): Witness {
  return {
    async take({ site, device }, payload) {
      if (payload.length > MAX_CHECKPOINT_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `a checkpoint has ${payload.length} bytes`)
      }
      const next = verifyCheckpoint(payload, { deviceId: device, deviceKeys: await deviceKeys(device) })
      if (next.site !== site) {
        throw new RoadveilError(
          'ERR_CHECKPOINT_INVALID',
          'a checkpoint came under a topic that it is not about',
        )
      }
      const isNext = await shelf.change(device, (last) => {
        const verdict = last ? judgeContinuity(last, next) : 'next'
        if (verdict === 'old') return undefined
        if (verdict === 'next') return { checkpoint: next, envelope: payload, alarm: undefined }
        // Before anything is written: a full disk must not hide it.
        logger.error('ALARM: the audit log of a box contradicts what was witnessed', {
          device,
          site,
          error: verdict,
        })
        return { checkpoint: next, envelope: payload, alarm: verdict }
      })
      if (isNext) logger.info('a checkpoint was witnessed', { device, site, sequence: next.head.sequence })
    },
  }
}
