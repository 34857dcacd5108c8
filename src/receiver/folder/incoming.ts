import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { isRoadveilError, RoadveilError } from '../../errors.ts'
import { isSlug, isUuid } from '../../protocol/topics.ts'
import { type Manifest, verifyManifest } from '../../sealing/manifest.ts'
import { sha256Hex } from '../../sealing/seal.ts'
import type { DeviceKeys } from '../devices.ts'
import { type Assembly, checkChunk, type Incoming, type IncomingLimits, makeRoom } from '../incoming.ts'
import type { Storage } from '../storage.ts'
import { makeFolder, readIfThere } from './files.ts'

interface Entry {
  readonly manifest: Manifest
  readonly envelope: Uint8Array
  readonly folder: string
  readonly have: Set<number>
  touchedAt: number
  /** Asked for since it got something. */
  asked: boolean
}

const MANIFEST_FILE = 'manifest.dsse.json'
const chunkFile = (folder: string, index: number): string => join(folder, `chunk-${index}`)
const nameOf = (device: string, evidenceId: string): string => join(device, evidenceId)

/**
 * Assemblies of one receiver in a folder, so that a restart goes on where it stopped. What was accepted is told by the storage: a
 * folder is there as a whole or not at all, and one receiver takes one message after the other. Nothing is read or written before
 * `leftovers`.
 */
export function createFolderIncoming(
  directory: string,
  deps: {
    readonly deviceKeys: DeviceKeys
    readonly storage: Storage
    readonly limits: IncomingLimits
    readonly now: () => number
  },
): Incoming {
  const { deviceKeys, storage, limits, now } = deps
  const entries = new Map<string, Entry>()

  const register = (manifest: Manifest, envelope: Uint8Array, have: Set<number>): Entry => {
    const name = nameOf(manifest.device, manifest.evidenceId)
    const folder = join(directory, name)
    const entry: Entry = { manifest, envelope, folder, have, touchedAt: now(), asked: false }
    entries.set(name, entry)
    return entry
  }

  const drop = async ({ folder, manifest }: Entry): Promise<void> => {
    entries.delete(nameOf(manifest.device, manifest.evidenceId))
    await rm(folder, { recursive: true, force: true })
    await removeIfEmpty(dirname(folder))
  }

  const restore = async (device: string, evidenceId: string): Promise<void> => {
    const folder = join(directory, device, evidenceId)
    try {
      const envelope = await readIfThere(join(folder, MANIFEST_FILE))
      if (!envelope || !isSlug(device) || !isUuid(evidenceId)) throw damaged()
      const manifest = verifyManifest(envelope, { deviceId: device, deviceKeys: await deviceKeys(device) })
      if (manifest.evidenceId !== evidenceId) throw damaged()
      const have = new Set<number>()
      for (const [index, sha256] of manifest.chunks.entries()) {
        // Chunks are not synced one by one: a power cut may have left half of one.
        const bytes = await readIfThere(chunkFile(folder, index))
        if (bytes && sha256Hex(bytes) === sha256) have.add(index)
      }
      register(manifest, envelope, have)
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      await rm(folder, { recursive: true, force: true })
    }
  }

  return {
    async leftovers() {
      await makeFolder(directory)
      for (const device of await foldersIn(directory)) {
        for (const evidenceId of await foldersIn(join(directory, device))) await restore(device, evidenceId)
      }
      return [...entries.values()].map(snapshot)
    },
    async begin(manifest, envelope) {
      const before = entries.get(nameOf(manifest.device, manifest.evidenceId))
      if (await storage.has(manifest)) {
        if (before) await drop(before)
        return 'accepted'
      }
      if (before?.manifest.ciphertextSha256 === manifest.ciphertextSha256) return touched(before, now())
      if (before) await drop(before)
      const all = [...entries.values()].map((entry) => ({
        entry,
        device: entry.manifest.device,
        bytes: entry.manifest.ciphertextBytes,
        idleMs: now() - entry.touchedAt,
      }))
      for (const { entry } of makeRoom(all, manifest, limits)) await drop(entry)
      const entry = register(manifest, envelope, new Set())
      await rm(entry.folder, { recursive: true, force: true })
      await mkdir(entry.folder, { recursive: true, mode: 0o700 })
      await writeFile(join(entry.folder, MANIFEST_FILE), envelope, { mode: 0o600 })
      return snapshot(entry)
    },
    async add({ site, device, evidenceId }, index, bytes) {
      const entry = entries.get(nameOf(device, evidenceId))
      if (entry?.manifest.site !== site) {
        throw new RoadveilError('ERR_CHUNK_UNEXPECTED', 'a chunk came of evidence that was not announced')
      }
      touched(entry, now())
      checkChunk(entry.manifest, index, bytes)
      if (!entry.have.has(index)) {
        await writeFile(chunkFile(entry.folder, index), bytes, { mode: 0o600 })
        entry.have.add(index)
      }
      return snapshot(entry)
    },
    async complete({ manifest: { device, evidenceId } }, accept) {
      const entry = entries.get(nameOf(device, evidenceId))
      if (!entry || missing(entry).length > 0) return undefined
      const { folder, manifest, envelope } = entry
      const files = [...manifest.chunks.keys()].map((index) => readFile(chunkFile(folder, index)))
      const ciphertext = Buffer.concat(await Promise.all(files))
      const evidence = await accept({ manifest, envelope, ciphertext })
      await drop(entry)
      if (!evidence) return undefined
      return { status: 'stored', evidence: { ...evidence, acceptedAt: new Date(now()).toISOString() } }
    },
    async silent(forMs) {
      const silent = [...entries.values()].filter(
        ({ asked, touchedAt }) => !asked && now() - touchedAt >= forMs,
      )
      for (const entry of silent) entry.asked = true
      return silent.map(snapshot)
    },
    told: async () => undefined,
    untold: async () => [],
  }
}

function touched(entry: Entry, at: number): Assembly {
  entry.touchedAt = at
  entry.asked = false
  return snapshot(entry)
}

function missing({ manifest, have }: Entry): number[] {
  return [...manifest.chunks.keys()].filter((index) => !have.has(index))
}

function snapshot(entry: Entry): Assembly {
  return { manifest: entry.manifest, envelope: entry.envelope, missing: missing(entry) }
}

function damaged(): RoadveilError {
  return new RoadveilError('ERR_MANIFEST_MISMATCH', 'what an earlier run left is not whole')
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true })
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
}

async function removeIfEmpty(folder: string): Promise<void> {
  const left = await readdir(folder).catch(() => undefined)
  if (left?.length === 0) await rm(folder, { recursive: true })
}
