import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { keyIdOf, type SigningKey } from '../../src/sealing/keys.ts'

/** A signing key that lives in memory only. */
export function signingKeyFixture(): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { id: keyIdOf(privateKey), privateKey }
}

/** The public halves, as a verifier holds them. */
export function verifyKeysOf(...keys: SigningKey[]): Map<string, KeyObject> {
  return new Map(keys.map((key) => [key.id, createPublicKey(key.privateKey)]))
}
