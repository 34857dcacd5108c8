import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { RoadveilError } from '../errors.ts'

/** Where a secret is read from: a systemd credential of this name if the service has one, else the file. */
export interface SecretSource {
  /** Name of the systemd credential (`LoadCredential=` or `LoadCredentialEncrypted=` of the unit). */
  readonly name: string
  /** Mode 0600, owned by the user that runs Roadveil. */
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const MAX_SECRET_BYTES = 64 * 1024

/**
 * Reads a secret. `$CREDENTIALS_DIRECTORY/<name>` comes first (systemd.exec(5)); systemd guards that folder itself and its files
 * may carry an ACL, so the mode is checked only for the file.
 *
 * Throws ERR_SECRET_FILE when it can't be read, is not a regular file of a sane size, belongs to someone else or others may read it.
 */
export function loadSecret(source: SecretSource): Buffer {
  const credential = credentialOf(source)
  return credential === undefined
    ? readSecretFile(source.file, { private: true })
    : readSecretFile(credential, { private: false })
}

/** The systemd credential that stands in for the file, where the service has one. Nobody but systemd can replace it. */
export function credentialOf({ name, env }: Pick<SecretSource, 'name' | 'env'>): string | undefined {
  const folder = env['CREDENTIALS_DIRECTORY']
  if (folder === undefined || folder === '') return undefined
  const credential = join(folder, name)
  return existsSync(credential) ? credential : undefined
}

function readSecretFile(file: string, check: { readonly private: boolean }): Buffer {
  let descriptor: number
  try {
    // O_NONBLOCK: a named pipe must not hang the start.
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    throw new RoadveilError('ERR_SECRET_FILE', `cannot read ${file}`, { cause })
  }
  try {
    const stat = fstatSync(descriptor)
    if (!stat.isFile()) throw new RoadveilError('ERR_SECRET_FILE', `${file} is not a regular file`)
    if (check.private && (stat.mode & 0o077) !== 0) {
      const mode = (stat.mode & 0o777).toString(8).padStart(4, '0')
      throw new RoadveilError('ERR_SECRET_FILE', `${file} has mode ${mode}, others may read it`)
    }
    if (check.private && stat.uid !== process.getuid?.()) {
      throw new RoadveilError('ERR_SECRET_FILE', `${file} belongs to user ${stat.uid}`)
    }
    if (stat.size === 0 || stat.size > MAX_SECRET_BYTES) {
      throw new RoadveilError('ERR_SECRET_FILE', `${file} has ${stat.size} bytes`)
    }
    return readFileSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/**
 * Writes a new secret: mode 0600 from its first moment on, on disk when this returns.
 *
 * Throws ERR_KEY_EXISTS rather than overwrite, ERR_SECRET_FILE when it can't be written.
 */
export function createSecretFile(file: string, bytes: Uint8Array): void {
  createFile(file, bytes, 0o600)
}

/** Writes a new file that anyone may read, under the same promises as `createSecretFile`. */
export function createPublicFile(file: string, bytes: Uint8Array): void {
  createFile(file, bytes, 0o644)
}

/**
 * Puts a secret in the place of another, under the same promises as `createSecretFile`: at every moment the name holds the old one
 * or the new one, whole. One process at a time: whoever changes keys holds the store alone. So the temporary name is always the same, and
 * what an interrupted try left of a secret is removed by the next one at once.
 *
 * Throws ERR_SECRET_FILE when it can't be written.
 */
export function replaceSecretFile(file: string, bytes: Uint8Array): void {
  const temporary = `${file}.new`
  rmSync(temporary, { force: true })
  createFile(temporary, bytes, 0o600)
  moveFile(temporary, file)
}

/** Gives a file its name for good: on disk when this returns. Throws ERR_SECRET_FILE. */
export function moveFile(from: string, to: string): void {
  try {
    renameSync(from, to)
    syncFolder(dirname(to))
  } catch (cause) {
    throw new RoadveilError('ERR_SECRET_FILE', `cannot write ${to}`, { cause })
  }
}

function createFile(file: string, bytes: Uint8Array, mode: number): void {
  let descriptor: number
  try {
    descriptor = openSync(file, 'wx', mode)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') {
      throw new RoadveilError('ERR_KEY_EXISTS', `${file} is there already`)
    }
    throw new RoadveilError('ERR_SECRET_FILE', `cannot write ${file}`, { cause })
  }
  try {
    fchmodSync(descriptor, mode)
    writeFileSync(descriptor, bytes)
    fsyncSync(descriptor)
  } catch (cause) {
    // Half a key must not stand in the way of the next try.
    unlinkSync(file)
    throw new RoadveilError('ERR_SECRET_FILE', `cannot write ${file}`, { cause })
  } finally {
    closeSync(descriptor)
  }
  syncFolder(dirname(file))
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}
