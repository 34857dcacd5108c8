import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_ENDORSEMENT_BYTES } from '../protocol/limits.ts'
import { type Endorsement, verifyEndorsement } from '../sealing/endorsement.ts'
import type { VerifyKeys } from '../sealing/keys.ts'
import type { DeviceKeys } from './devices.ts'
import { replaceFile } from './files.ts'

/** The keys of the boxes: those that a human has put into the devices folder, and those that they have endorsed. */
export interface EndorsedKeys {
  readonly deviceKeys: DeviceKeys
  /**
   * Accepts a new key that a known one has endorsed. The known one stays, since evidence that it signed may still be on its way; but
   * it endorses one other only, so that who finds it later gains nothing.
   *
   * @throws RoadveilError what `deviceKeys` and `verifyEndorsement` throw, ERR_MESSAGE, ERR_ENDORSEMENT_INVALID,
   *   ERR_ENDORSEMENT_CONFLICT, ERR_OUTPUT_FAILED.
   */
  take(from: { readonly device: string; readonly keyId: string }, payload: Buffer): Promise<void>
}

/** A box does not change its key that often; what is beyond is not read. */
const MAX_ENDORSEMENTS = 64
const SUFFIX = '.dsse.json'

/**
 * Keeps endorsements as `<state>/endorsements/<device>/<key id>.dsse.json`. They are checked whenever they are read, from the key in
 * the devices folder on: a box whose key file is replaced there begins anew.
 */
export function createEndorsedKeys(
  stateDirectory: string,
  trusted: DeviceKeys,
  logger: Logger,
): EndorsedKeys {
  const folderOf = (device: string): string => join(stateDirectory, 'endorsements', device)

  const follow = (device: string): { keys: VerifyKeys; accepted: readonly Endorsement[] } => {
    const keys = new Map(trusted(device))
    const accepted: Endorsement[] = []
    let waiting = envelopesIn(folderOf(device))
    for (let before = -1; before !== waiting.length;) {
      before = waiting.length
      waiting = waiting.filter((envelope) => {
        const endorsement = endorsedBy(envelope, device, keys)
        if (!endorsement) return true
        keys.set(endorsement.keyId, endorsement.publicKey)
        accepted.push(endorsement)
        return false
      })
    }
    return { keys, accepted }
  }

  return {
    deviceKeys: (device) => follow(device).keys,

    async take({ device, keyId }, payload) {
      if (payload.length > MAX_ENDORSEMENT_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `an endorsement has ${payload.length} bytes`)
      }
      const { keys: deviceKeys, accepted } = follow(device)
      const next = verifyEndorsement(payload, { deviceId: device, deviceKeys })
      if (next.keyId !== keyId) {
        throw new RoadveilError(
          'ERR_ENDORSEMENT_INVALID',
          'an endorsement came under a topic that it is not about',
        )
      }
      const before = accepted.find(({ previousKeyId }) => previousKeyId === next.previousKeyId)
      if (before?.keyId === next.keyId) return
      if (before) {
        const message = `the key ${next.previousKeyId} of ${device} endorses ${next.keyId} after ${before.keyId}`
        throw new RoadveilError('ERR_ENDORSEMENT_CONFLICT', message)
      }
      // The key of the devices folder was endorsed by one before it, which may still be retained.
      if (deviceKeys.has(next.keyId)) return
      if (accepted.length >= MAX_ENDORSEMENTS) {
        throw new RoadveilError('ERR_ENDORSEMENT_INVALID', `${device} has changed its key too often`)
      }
      await replaceFile(join(folderOf(device), `${next.keyId}${SUFFIX}`), payload)
      logger.info('a device has a new signing key', { device, keyId: next.keyId })
    },
  }
}

function endorsedBy(envelope: Buffer, deviceId: string, deviceKeys: VerifyKeys): Endorsement | undefined {
  try {
    return verifyEndorsement(envelope, { deviceId, deviceKeys })
  } catch (error) {
    // Of a key that is not trusted (any more), or damaged: it does not count.
    if (!isRoadveilError(error)) throw error
    return undefined
  }
}

function envelopesIn(folder: string): Buffer[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
  return names.slice(0, 2 * MAX_ENDORSEMENTS).map((name) => readFileSync(join(folder, name)))
}
