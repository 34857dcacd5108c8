import type { Config } from '../config/config.ts'
import type { EpochMs } from '../domain/frame.ts'
import type { SigningKey, VerifyKeys } from '../sealing/keys.ts'
import { type SigningFile, signersOf } from '../sealing/signing-file.ts'
import { replaceSigningKey, type Rotated } from './key-change.ts'

/** The signing key of a running vault, which may be changed while it runs. Whoever signs reads it anew each time. */
export interface Signer {
  readonly signingKey: SigningKey
  /** What older keys said about newer ones, the oldest first. */
  readonly endorsements: SigningFile['endorsements']
  /** The public halves of all keys that this box has signed with. */
  readonly signers: VerifyKeys
  /**
   * Puts a new key in the place of the current one, on the disk and here. The city must hear of it before anything that it signs.
   *
   * @throws what `replaceSigningKey` throws; the old key is still in use then.
   */
  rotate(at: EpochMs): Rotated
}

/** Creates the signer of a vault that has the store open: nobody else changes the file meanwhile. */
export function createSigner(
  config: Config,
  first: SigningFile,
  env: Readonly<Record<string, string | undefined>>,
): Signer {
  let file = first
  let signers = signersOf(first, config.device.id)
  return {
    get signingKey() {
      return file.key
    },
    get endorsements() {
      return file.endorsements
    },
    get signers() {
      return signers
    },
    rotate(at) {
      const replaced = replaceSigningKey({ config, env, at })
      file = replaced.file
      signers = signersOf(file, config.device.id)
      return replaced.rotated
    },
  }
}
