import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import { loadPublicKey, type VerifyKeys } from '../sealing/keys.ts'

/** Finds the public key of a device. */
export type DeviceKeys = (device: string) => Promise<VerifyKeys>

/**
 * The keys in a folder, one DEVICE.pem each, read whenever one is needed: a box is added or removed while the receiver runs.
 *
 * @throws (the function returned) RoadveilError ERR_DEVICE_UNKNOWN, or ERR_KEY_INVALID for a file that is no key.
 */
export function deviceKeysIn(directory: string): DeviceKeys {
  return async (device) => {
    const file = join(directory, `${device}.pem`)
    if (!existsSync(file))
      throw new RoadveilError('ERR_DEVICE_UNKNOWN', `there is no key of device ${device}`)
    const { id, publicKey } = loadPublicKey(file)
    return new Map([[id, publicKey]])
  }
}
