import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_ENDORSEMENT_BYTES } from '../protocol/limits.ts'
import { type Endorsement, verifyEndorsement } from '../sealing/endorsement.ts'
import type { VerifyKeys } from '../sealing/keys.ts'
import type { DeviceKeys } from './devices.ts'

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

/** Where endorsements are kept. */
export interface EndorsementShelf {
  /** What was kept of a device, at most `2 * MAX_ENDORSEMENTS`; damaged ones, too. */
  of(device: string): Promise<readonly Buffer[]>
  /**
   * Keeps what `decide` makes of what is there, and says whether that was something; nobody else changes anything of the device
   * meanwhile. Throws what `decide` throws.
   */
  change(
    device: string,
    decide: (
      envelopes: readonly Buffer[],
    ) => { readonly keyId: string; readonly envelope: Buffer } | undefined,
  ): Promise<boolean>
}

/** A box does not change its key that often; what is beyond is not read. */
export const MAX_ENDORSEMENTS = 64

/**
 * The endorsed keys of a shelf. Endorsements are checked whenever they are read, from the key in the devices folder on: a box whose
 * key file is replaced there begins anew.
 */
export function createEndorsedKeys(
  shelf: EndorsementShelf,
  trusted: DeviceKeys,
  logger: Logger,
): EndorsedKeys {
  return {
    deviceKeys: async (device) => follow(device, await trusted(device), await shelf.of(device)).keys,

    async take({ device, keyId }, payload) {
      if (payload.length > MAX_ENDORSEMENT_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `an endorsement has ${payload.length} bytes`)
      }
      const roots = await trusted(device)
      const isNew = await shelf.change(device, (envelopes) => {
        const known = follow(device, roots, envelopes)
        return isNewKey({ device, keyId }, payload, known) ? { keyId, envelope: payload } : undefined
      })
      if (isNew) logger.info('a device has a new signing key', { device, keyId })
    },
  }
}

interface Followed {
  readonly keys: VerifyKeys
  readonly accepted: readonly Endorsement[]
}

/** The keys that are believed, from the trusted ones on along what was endorsed. */
function follow(device: string, trusted: VerifyKeys, envelopes: readonly Buffer[]): Followed {
  const keys = new Map(trusted)
  const accepted: Endorsement[] = []
  let waiting = envelopes
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

/** Whether an endorsement brings in a key that is not known yet. Throws as `take` does. */
function isNewKey(
  { device, keyId }: { readonly device: string; readonly keyId: string },
  payload: Buffer,
  { keys: deviceKeys, accepted }: Followed,
): boolean {
  const next = verifyEndorsement(payload, { deviceId: device, deviceKeys })
  if (next.keyId !== keyId) {
    throw new RoadveilError(
      'ERR_ENDORSEMENT_INVALID',
      'an endorsement came under a topic that it is not about',
    )
  }
  const before = accepted.find(({ previousKeyId }) => previousKeyId === next.previousKeyId)
  if (before?.keyId === next.keyId) return false
  if (before) {
    const message = `the key ${next.previousKeyId} of ${device} endorses ${next.keyId} after ${before.keyId}`
    throw new RoadveilError('ERR_ENDORSEMENT_CONFLICT', message)
  }
  // The key of the devices folder was endorsed by one before it, which may still be retained.
  if (deviceKeys.has(next.keyId)) return false
  if (accepted.length >= MAX_ENDORSEMENTS) {
    throw new RoadveilError('ERR_ENDORSEMENT_INVALID', `${device} has changed its key too often`)
  }
  return true
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
