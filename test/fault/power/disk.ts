import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Dice } from '../dice.ts'
import type { Step } from './recording.ts'

/**
 * A disk that is written to as a recording says, and what a power cut leaves of it. What was synced stays. Of everything else any
 * part may have come to the disk: of a file's content each sector as it was at any time since the last sync, of its size likewise,
 * and of the names in a folder any of the changes.
 *
 * A sync that failed is the worst of it: the kernel forgets that its pages have not come to the disk, reading shows them as written,
 * and no later sync brings them there, unless they are written once more (https://lwn.net/Articles/752063/).
 */
export interface Disk {
  take(step: Step): void
  /** Writes what a power cut now leaves into a folder. */
  cut(folder: string, dice: Dice): void
  /** Where the disk is not as it should be after everything that was taken: a recording that has missed something is worth nothing. */
  differences(): readonly string[]
}

const SECTOR_BYTES = 512
const PAGE_BYTES = 4096

interface Write {
  readonly at: number
  readonly bytes: Buffer
}
type Change = Write | { readonly size: number }

interface File {
  readonly kind: 'file'
  /** As reading shows it. */
  view: Buffer
  durable: Buffer
  pending: Change[]
  /** Pages that a failed sync has given up. */
  readonly givenUp: Set<number>
}
interface Folder {
  readonly kind: 'folder'
  readonly view: Map<string, Entry>
  durable: Map<string, Entry>
  /** Each as a whole or not at all: names and what they are to stand for; undefined takes a name away. */
  pending: [string, Entry | undefined][][]
}
type Entry = File | Folder

/**
 * @param root what lies there now counts as synced.
 * @param isLeftOut names of files whose content does not matter.
 */
export function diskAt(root: string, isLeftOut: (path: string) => boolean): Disk {
  const top = readFolder(root, isLeftOut)
  const open = new Map<number, { readonly entry: Entry; at: number }>()

  const inside = (path: string): boolean => (path === root || path.startsWith(`${root}/`)) && !isLeftOut(path)
  const entryAt = (path: string): Entry | undefined => {
    let entry: Entry | undefined = top
    for (const name of path.slice(root.length).split('/').filter(Boolean))
      entry = entry?.kind === 'folder' ? entry.view.get(name) : undefined
    return entry
  }
  const rename = (path: string, changes: [string, Entry | undefined][]): void => {
    const folder = entryAt(dirname(path))
    if (folder?.kind !== 'folder') throw new Error(`${path} lies in no folder`)
    for (const [name, entry] of changes) {
      if (entry) folder.view.set(name, entry)
      else folder.view.delete(name)
    }
    folder.pending.push(changes)
  }
  const fileOf = (fd: number): { readonly entry: File; at: number } | undefined => {
    const opened = open.get(fd)
    return opened?.entry.kind === 'file' ? (opened as { entry: File; at: number }) : undefined
  }
  const write = (fd: number, at: number | undefined, bytes: Buffer): void => {
    const opened = fileOf(fd)
    if (!opened) return
    const from = at ?? opened.at
    change(opened.entry, { at: from, bytes })
    if (at === undefined) opened.at = from + bytes.length
  }

  return {
    take(step) {
      switch (step.kind) {
        case 'folder':
          if (inside(step.path)) rename(step.path, [[nameOf(step.path), newFolder()]])
          return
        case 'opened': {
          if (!inside(step.path)) return
          let entry = entryAt(step.path)
          if (!entry && step.mayMake) rename(step.path, [[nameOf(step.path), (entry = newFile())]])
          if (!entry) throw new Error(`${step.path} was opened but never made`)
          if (entry.kind === 'file' && step.cut && entry.view.length > 0) change(entry, { size: 0 })
          open.set(step.fd, { entry, at: 0 })
          return
        }
        case 'wrote':
          write(step.fd, step.at, step.bytes)
          return
        case 'copied': {
          const from = fileOf(step.from)
          if (!from) return
          write(step.to, undefined, Buffer.from(from.entry.view.subarray(from.at, from.at + step.length)))
          from.at += step.length
          return
        }
        case 'resized': {
          const opened = fileOf(step.fd)
          if (opened && Number.isNaN(step.size))
            throw new Error('a file was written in a way that is not followed')
          if (opened) change(opened.entry, { size: step.size })
          return
        }
        case 'synced': {
          const opened = open.get(step.fd)
          if (opened) sync(opened.entry, step.failed)
          return
        }
        case 'moved':
          if (!inside(step.from) && !inside(step.to)) return
          if (dirname(step.from) !== dirname(step.to))
            throw new Error('a move between folders is not followed')
          rename(step.from, [
            [nameOf(step.from), undefined],
            [nameOf(step.to), entryAt(step.from)],
          ])
          return
        case 'removed':
          if (inside(step.path)) rename(step.path, [[nameOf(step.path), undefined]])
          return
        case 'closed':
          open.delete(step.fd)
          return
        case 'ended':
          open.clear()
          return
        case 'said':
        case 'fault':
      }
    },

    cut(folder, dice) {
      // In most cuts some of everything has come to the disk, in some nothing or all of it.
      writeFolder(folder, top, { dice, share: dice.pick([0, 0.1, 0.5, 0.9, 1]) })
    },

    differences: () => [...compare(root, top, readFolder(root, isLeftOut))],
  }
}

function change(file: File, change: Change): void {
  file.view = applied(file.view, change)
  file.pending.push(change)
}

function applied(before: Buffer, change: Change): Buffer {
  if ('size' in change) return resized(before, change.size)
  const { at, bytes } = change
  if (at + bytes.length <= before.length) {
    bytes.copy(before, at)
    return before
  }
  const after = Buffer.concat([before], at + bytes.length)
  bytes.copy(after, at)
  return after
}

function sync(entry: Entry, failed: boolean): void {
  if (entry.kind === 'folder') {
    if (failed) return
    entry.durable = new Map(entry.view)
    entry.pending = []
    return
  }
  const touched = pagesOf(entry)
  entry.pending = []
  if (failed) {
    for (const page of touched) entry.givenUp.add(page)
    return
  }
  if (entry.durable.length !== entry.view.length) entry.durable = resized(entry.durable, entry.view.length)
  // The kernel writes whole pages as they are now, with what an earlier sync has given up in them.
  for (const page of touched) {
    entry.givenUp.delete(page)
    part(entry.view, page * PAGE_BYTES, PAGE_BYTES).copy(entry.durable, page * PAGE_BYTES)
  }
}

/** What there is of it. */
function part(bytes: Buffer, at: number, length: number): Buffer {
  return bytes.subarray(at, at + length)
}

function resized(bytes: Buffer, size: number): Buffer {
  const after = Buffer.alloc(size)
  bytes.copy(after)
  return after
}

function pagesOf({ pending, view, durable }: File): Set<number> {
  const pages = new Set<number>()
  for (const change of pending) {
    const [from, to] = rangeOf(change, Math.max(view.length, durable.length))
    for (let page = Math.floor(from / PAGE_BYTES); page * PAGE_BYTES < to; page++) pages.add(page)
  }
  return pages
}

function rangeOf(change: Change, size: number): readonly [number, number] {
  return 'size' in change ? [change.size, size] : [change.at, change.at + change.bytes.length]
}

interface Cut {
  readonly dice: Dice
  /** Of what was not synced, how much came to the disk. */
  readonly share: number
}

function writeFolder(path: string, folder: Folder, cut: Cut): void {
  mkdirSync(path, { recursive: true, mode: 0o700 })
  const entries = new Map(folder.durable)
  for (const names of folder.pending) {
    if (!cut.dice.chance(cut.share)) continue
    for (const [name, entry] of names) {
      if (entry) entries.set(name, entry)
      else entries.delete(name)
    }
  }
  for (const [name, entry] of entries) {
    if (entry.kind === 'folder') writeFolder(join(path, name), entry, cut)
    else writeFileSync(join(path, name), leftOf(entry, cut), { mode: 0o600 })
  }
}

/**
 * The content of a file after the cut. That it was cut shorter has come to the disk or not, and what was written after it only if it
 * has: other blocks were taken for that.
 */
function leftOf({ view, durable, pending, givenUp }: File, cut: Cut): Buffer {
  const { dice, share } = cut
  let left: Buffer = Buffer.from(durable)
  for (const page of givenUp) {
    for (let at = page * PAGE_BYTES; at < (page + 1) * PAGE_BYTES; at += SECTOR_BYTES)
      if (dice.chance(share)) part(view, at, SECTOR_BYTES).copy(left, at)
  }
  let writes: Write[] = []
  for (const change of pending) {
    if (!('size' in change)) {
      writes.push(change)
      continue
    }
    left = someOf(writes, left, cut)
    writes = []
    if (!dice.chance(share)) return left
    left = resized(left, change.size)
  }
  return someOf(writes, left, cut)
}

/** Each sector as it was before these writes or after any of them, and the size likewise. */
function someOf(writes: readonly Write[], before: Buffer, { dice, share }: Cut): Buffer {
  const timesOf = (changes: number): number =>
    dice.chance(share) ? (dice.chance(0.7) ? changes : dice.between(0, changes)) : 0
  const bySector = new Map<number, Write[]>()
  const sizes = [before.length]
  for (const write of writes) {
    const end = write.at + write.bytes.length
    sizes.push(Math.max(sizes.at(-1) ?? 0, end))
    for (let sector = Math.floor(write.at / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++)
      bySector.set(sector, [...(bySector.get(sector) ?? []), write])
  }
  const left = resized(before, sizes[timesOf(writes.length)] ?? before.length)
  for (const [sector, touching] of bySector) {
    const start = sector * SECTOR_BYTES
    for (const { at, bytes } of touching.slice(0, timesOf(touching.length))) {
      const from = Math.max(start, at)
      bytes.copy(left, from, from - at, Math.min(start + SECTOR_BYTES, at + bytes.length) - at)
    }
  }
  return left
}

function* compare(path: string, expected: Entry, found: Entry): Generator<string> {
  if (expected.kind === 'file' || found.kind === 'file') {
    if (expected.kind !== 'file' || found.kind !== 'file') yield `${path} is of another kind`
    else if (!expected.view.equals(found.view)) yield `${path} has another content`
    return
  }
  for (const name of new Set([...expected.view.keys(), ...found.view.keys()])) {
    const [one, other] = [expected.view.get(name), found.view.get(name)]
    if (one && other) yield* compare(join(path, name), one, other)
    else yield `${join(path, name)} is ${one ? 'gone' : 'there'}`
  }
}

function readFolder(path: string, isLeftOut: (path: string) => boolean): Folder {
  const entries = new Map<string, Entry>()
  for (const each of readdirSync(path, { withFileTypes: true })) {
    const below = join(path, each.name)
    if (isLeftOut(below)) continue
    if (each.isDirectory()) entries.set(each.name, readFolder(below, isLeftOut))
    else if (each.isFile()) entries.set(each.name, newFile(readFileSync(below)))
  }
  return { kind: 'folder', view: entries, durable: new Map(entries), pending: [] }
}

function newFile(bytes = Buffer.alloc(0)): File {
  return { kind: 'file', view: bytes, durable: Buffer.from(bytes), pending: [], givenUp: new Set() }
}

function newFolder(): Folder {
  return { kind: 'folder', view: new Map(), durable: new Map(), pending: [] }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
