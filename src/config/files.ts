import { access, constants, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { resolveFile, resolveSource } from './resolve.ts'
import { valueText, type ConfigPath, type Finding } from '../config-file/finding.ts'
import { listAt } from './lists.ts'
import { valueAt } from '../config-file/shape.ts'

/** Who reads the config: each looks only at the files that it uses and may read itself. */
export type ConfigReader = 'all' | 'vision' | 'vault' | 'cli'

type FileKind = 'secret' | 'readable' | 'video' | 'parent' | 'folder' | 'socket folder'

interface NamedFile {
  readonly path: ConfigPath
  readonly kind: FileKind
  /** Name of the systemd credential that stands in for the file. */
  readonly credential?: string
}

/** unix(7): the path of a socket has at most 107 bytes; `/control.sock` is the longest name put below it. */
const MAX_RUNTIME_DIRECTORY_BYTES = 107 - '/control.sock'.length

/** What is wrong with the files that the config names: missing, unreadable, or open to others. */
export async function findFileFaults(
  root: unknown,
  folder: string,
  reader: ConfigReader,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  const found = await Promise.all(
    namedFiles(root, reader).map(async ({ path, kind, credential }): Promise<Finding | undefined> => {
      const name = valueAt(root, path)
      if (typeof name !== 'string' || name === '' || name.length > 1024 || name.includes('\0'))
        return undefined
      if (credential !== undefined && (await hasCredential(credential, env))) return undefined
      const reason = await fileFault(
        kind,
        kind === 'video' ? resolveSource(folder, name) : resolveFile(folder, name),
      )
      if (reason === undefined) return undefined
      const code = kind === 'secret' ? 'ERR_SECRET_FILE' : undefined
      return { path, reason, got: valueText(path, name), ...(code && { code }) }
    }),
  )
  return found.filter((finding) => finding !== undefined)
}

function namedFiles(root: unknown, reader: ConfigReader): NamedFile[] {
  const cameras = listAt(root, ['cameras']).flatMap((camera, i): NamedFile[] => {
    const url = valueAt(camera, ['url'])
    const isFile = typeof url === 'string' && url.startsWith('file:')
    const credentials: NamedFile = { path: ['cameras', i, 'credentialsFile'], kind: 'secret' }
    return isFile ? [{ path: ['cameras', i, 'url'], kind: 'video' }] : [credentials]
  })
  const cityKeys = ['receiptKeys', 'commandKeys'].flatMap((role) =>
    listAt(root, ['city', role]).map((_, i): NamedFile => ({
      path: ['city', role, i, 'publicKeyFile'],
      kind: 'readable',
    })),
  )
  const vault: NamedFile[] = [
    { path: ['device', 'signingKeyFile'], kind: 'secret', credential: 'signing-key' },
    { path: ['device', 'keyFile'], kind: 'secret', credential: 'device-key' },
    { path: ['store', 'file'], kind: 'parent' },
    { path: ['store', 'keyFile'], kind: 'secret', credential: 'database-key' },
    ...cityKeys,
    { path: ['broker', 'caFile'], kind: 'readable' },
    { path: ['broker', 'certificateFile'], kind: 'readable' },
    { path: ['broker', 'keyFile'], kind: 'secret', credential: 'broker-key' },
  ]
  return [
    { path: ['runtimeDirectory'], kind: 'socket folder' },
    { path: ['logs', 'directory'], kind: 'folder' },
    ...(reader === 'all' || reader === 'vision' ? cameras : []),
    ...(reader === 'all' || reader === 'vault' ? vault : []),
  ]
}

async function hasCredential(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const folder = env['CREDENTIALS_DIRECTORY']
  return folder !== undefined && (await statOf(join(folder, name))) !== undefined
}

async function fileFault(kind: FileKind, file: string): Promise<string | undefined> {
  switch (kind) {
    case 'secret':
      return secretFault(file)
    case 'readable':
    case 'video':
      return readableFault(file)
    case 'parent':
      if ((await statOf(file))?.isDirectory()) return 'must be a file, not a folder'
      return (await statOf(dirname(file)))?.isDirectory() ? undefined : 'lies in a folder that does not exist'
    case 'folder':
      return folderFault(file)
    case 'socket folder':
      if (Buffer.byteLength(file) > MAX_RUNTIME_DIRECTORY_BYTES) {
        return `is too long for sockets: at most ${MAX_RUNTIME_DIRECTORY_BYTES} bytes as a whole path`
      }
      return (await folderFault(file)) ?? privateFault(file)
  }
}

/** Sockets lie in it: whoever can enter it could talk to vault. */
async function privateFault(directory: string): Promise<string | undefined> {
  const found = await statOf(directory)
  if (!found || (found.mode & 0o077) === 0 || (found.mode & 0o077) === 0o010) return undefined
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
  return `may be entered by others: mode is ${mode}, must be 0700, or 0710 for a group`
}

async function secretFault(file: string): Promise<string | undefined> {
  const found = await statOf(file)
  if (!found) return 'does not exist, or cannot be reached'
  if (!found.isFile()) return 'is not a file'
  if ((found.mode & 0o077) !== 0) {
    const mode = (found.mode & 0o777).toString(8).padStart(4, '0')
    return `may be read by others: mode is ${mode}, must be 0600`
  }
  return (await readableFault(file)) ?? (found.size === 0 ? 'is empty' : undefined)
}

async function readableFault(file: string): Promise<string | undefined> {
  const found = await statOf(file)
  if (!found) return 'does not exist, or cannot be reached'
  if (!found.isFile()) return 'is not a file'
  return access(file, constants.R_OK).then(
    () => undefined,
    () => 'may not be read by this user',
  )
}

/** A folder that is made when it is missing. */
async function folderFault(folder: string): Promise<string | undefined> {
  const found = await statOf(folder)
  return found && !found.isDirectory() ? 'must be a folder' : undefined
}

async function statOf(file: string) {
  return stat(file).catch(() => undefined)
}
