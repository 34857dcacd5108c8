import { createReadStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Secrets that a suite lets the program handle, and that must be nowhere afterwards. */
export interface Planted {
  /** Plants a secret under a name that may be printed. At least 6 bytes, or chance would find it. */
  plant(name: string, secret: string | Uint8Array): void
  /** Takes files out of the search that may hold secrets: key files, and what the city opened with its own key. */
  except(path: string): void
  /** Looks for everything planted, in these files and in every file below these folders. What is gone meanwhile is left out. */
  search(paths: readonly string[]): Promise<readonly string[]>
  /** Looks for everything planted in a text: a log, a process list, what the broker saw. */
  within(what: string, bytes: string | Uint8Array): readonly string[]
}

const LEAST_BYTES = 6

export function plantedSecrets(): Planted {
  const secrets = new Map<string, Buffer>()
  const excepted = new Set<string>()
  const found = (what: string, bytes: Buffer): string[] =>
    [...secrets].filter(([, secret]) => bytes.includes(secret)).map(([name]) => `${name} is in ${what}`)

  return {
    plant(name, secret) {
      const bytes = Buffer.from(secret)
      if (bytes.length < LEAST_BYTES) throw new TypeError(`${name} is too short to be searched for`)
      secrets.set(name, bytes)
    },
    except(path) {
      excepted.add(path)
    },
    within(what, bytes) {
      return found(what, Buffer.from(bytes))
    },
    async search(paths) {
      const hits: string[] = []
      const overlap = Math.max(0, ...[...secrets.values()].map((secret) => secret.length))
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
