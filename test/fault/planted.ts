import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Secrets that a suite lets the program handle, and that must be nowhere afterwards. */
export interface Planted {
  /** Plants a secret under a name that may be printed. At least 6 bytes, or chance would find it. */
  plant(name: string, secret: string | Uint8Array): void
  /** Takes files out of the search that may hold secrets: key files, and what the city opened with its own key. */
  except(path: string): void
  /** Looks for everything planted, in every file below these folders. */
  search(folders: readonly string[]): Promise<readonly string[]>
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
    async search(folders) {
      const hits: string[] = []
      const overlap = Math.max(0, ...[...secrets.values()].map((secret) => secret.length))
      for (const file of await filesBelow(folders, excepted)) {
        let tail = Buffer.alloc(0)
        const inFile = new Set<string>()
        for await (const piece of createReadStream(file, { highWaterMark: 2 ** 20 })) {
          const bytes = Buffer.concat([tail, piece as Buffer])
          for (const hit of found(file, bytes)) inFile.add(hit)
          tail = bytes.subarray(-overlap)
        }
        hits.push(...inFile)
      }
      return hits
    },
  }
}

async function filesBelow(folders: readonly string[], excepted: ReadonlySet<string>): Promise<string[]> {
  const files: string[] = []
  for (const folder of folders) {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name)
      if (excepted.has(path)) continue
      if (entry.isDirectory()) files.push(...(await filesBelow([path], excepted)))
      else if (entry.isFile()) files.push(path)
    }
  }
  return files
}
