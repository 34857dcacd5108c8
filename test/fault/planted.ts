import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Secrets that a suite lets the program handle, and that must be nowhere afterwards. */
export interface Planted {
  /** Plants a secret under a name that may be printed. At least 6 bytes, or chance would find it. */
  plant(name: string, secret: string | Uint8Array): void
  /** Takes files out of the search that may hold secrets: key files, and what the city opened with its own key. */
  except(path: string): void
  /** Whether a file may hold secrets. */
  isExcepted(path: string): boolean
  /** Looks for everything planted, in these files and in every file below these folders. What is gone meanwhile is left out. */
  search(paths: readonly string[]): Promise<readonly string[]>
  /** Looks for everything planted in a text: a log, a process list, what the broker saw. */
  within(what: string, bytes: string | Uint8Array): readonly string[]
}

const LEAST_BYTES = 6

interface Secret {
  readonly name: string
  readonly secret: Buffer
}

export function plantedSecrets(): Planted {
  // By the secret: many boxes have a signing key each.
  const secrets = new Map<string, Secret>()
  const excepted = new Set<string>()
  const first = new Map<number, Secret[]>()
  const isFirst = new Uint8Array(2 ** 16)
  /** One pass for all secrets, however many keys are planted: by their first two bytes. */
  const found = (what: string, bytes: Buffer): string[] => {
    const hits = new Set<string>()
    for (let at = 0, pair = bytes[0] ?? 0; at + 1 < bytes.length; at++) {
      pair = ((pair << 8) | (bytes[at + 1] ?? 0)) & 0xffff
      if (isFirst[pair] === 0) continue
      for (const { name, secret } of first.get(pair) ?? [])
        if (bytes.subarray(at, at + secret.length).equals(secret)) hits.add(`${name} is in ${what}`)
    }
    return [...hits]
  }

  return {
    plant(name, secret) {
      const bytes = Buffer.from(secret)
      if (bytes.length < LEAST_BYTES) throw new TypeError(`${name} is too short to be searched for`)
      const key = bytes.toString('latin1')
      if (secrets.has(key)) return
      const planted = { name, secret: bytes }
      secrets.set(key, planted)
      const pair = bytes.readUInt16BE(0)
      first.set(pair, [...(first.get(pair) ?? []), planted])
      isFirst[pair] = 1
    },
    except(path) {
      excepted.add(path)
    },
    isExcepted(path) {
      for (let each = path; each !== dirname(each); each = dirname(each)) if (excepted.has(each)) return true
      return false
    },
    within(what, bytes) {
      return found(what, Buffer.from(bytes))
    },
    async search(paths) {
      const hits: string[] = []
      const overlap = Math.max(0, ...[...secrets.values()].map(({ secret }) => secret.length))
      for (const file of await filesBelow(paths, excepted)) {
        let tail = Buffer.alloc(0)
        const inFile = new Set<string>()
        const read = async (): Promise<void> => {
          for await (const piece of createReadStream(file, { highWaterMark: 2 ** 20 })) {
            const bytes = Buffer.concat([tail, piece as Buffer])
            for (const hit of found(file, bytes)) inFile.add(hit)
            tail = bytes.subarray(-overlap)
          }
        }
        await read().catch(unlessGone)
        hits.push(...inFile)
      }
      return hits
    },
  }
}

async function filesBelow(paths: readonly string[], excepted: ReadonlySet<string>): Promise<string[]> {
  const files: string[] = []
  for (const path of paths) {
    if (excepted.has(path)) continue
    const stat = await lstat(path).catch(unlessGone)
    if (stat?.isFile()) files.push(path)
    if (!stat?.isDirectory()) continue
    const names = (await readdir(path).catch(unlessGone)) ?? []
    const below = names.map((name) => join(path, name))
    files.push(...(await filesBelow(below, excepted)))
  }
  return files
}

function unlessGone(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
