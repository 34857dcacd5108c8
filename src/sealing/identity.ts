import { generateX25519Identity, identityToRecipient } from 'age-encryption'
import { RoadveilError } from '../errors.ts'

/** The city's key pair for opening evidence, as age writes them. The box knows recipients only. */
export interface CityIdentity {
  /** AGE-SECRET-KEY-1…; secret. */
  readonly identity: string
  /** age1… */
  readonly recipient: string
}

/** Makes an X25519 identity, which every age program from 1.0 on can use. */
export async function createCityIdentity(): Promise<CityIdentity> {
  const identity = await generateX25519Identity()
  return { identity, recipient: await identityToRecipient(identity) }
}

/**
 * Finds the identity in the text of an identity file as `age-keygen` writes it: comment lines, then AGE-SECRET-KEY-….
 * Throws ERR_KEY_INVALID when there is not exactly one.
 */
export async function parseIdentityFile(text: string): Promise<CityIdentity> {
  const lines = text.split('\n').map((line) => line.trim())
  const identities = lines.filter((line) => line !== '' && !line.startsWith('#'))
  const [identity] = identities
  if (identity === undefined || identities.length !== 1) {
    throw new RoadveilError(
      'ERR_KEY_INVALID',
      `an identity file holds one identity, not ${identities.length}`,
    )
  }
  try {
    return { identity, recipient: await identityToRecipient(identity) }
  } catch {
    // age's message could quote the identity: no cause.
    throw new RoadveilError('ERR_KEY_INVALID', 'the identity file holds no age identity')
  }
}

/** The text of an identity file, as `age-keygen` writes it. */
export function identityFile(city: CityIdentity): string {
  return `# public key: ${city.recipient}\n${city.identity}\n`
}
