import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SecretSource } from '../../../src/sealing/secret.ts'

/** Writes a secret file as it has to be. */
export function writeSecret(folder: string, name: string, text: string): SecretSource {
  const file = join(folder, name)
  writeFileSync(file, text)
  chmodSync(file, 0o600)
  return { name, file, env: {} }
}
