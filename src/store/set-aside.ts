import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { ErrorCode } from '../errors.ts'
import { eraseFile } from './evidence-files.ts'
import { fileError } from './failure.ts'
import { replaceFile, sync } from './sync.ts'

/** Why a store was set aside, and what could not be saved from it. Written as `why.json` beside its files. */
export interface SetAsideReason {
  /** ISO 8601, UTC. */
  readonly at: string
  readonly code: ErrorCode
  /** Evidence that is in the new store, and ids of what is not. */
  readonly saved: number
  readonly lost: readonly string[]
  /** Those of them that a legal hold was on, and the cases; none where nobody knows them. */
  readonly lostUnderHold: readonly { readonly evidenceId: string; readonly cases: readonly string[] }[]
  /** Evidence that may have been there, and that nothing names any more, at most. */
  readonly unnamed: number
  /** True where a legal hold is on something that was lost: then nothing of this is purged. */
  readonly held: boolean
  /** Day keys that open what was lost; they stay as long as this does. */
  readonly dayKeyIds: readonly string[]
}

/** A damaged store that was set aside. */
export interface SetAside extends SetAsideReason {
  /** Name of its folder in `NAME.damaged`. */
  readonly name: string
  readonly bytes: number
}

/** The damaged stores beside a store. */
export interface SetAsides {
  /** Oldest first. */
  list(): readonly SetAside[]
  /** Removes those that were set aside before `before`, but for what a legal hold is on. Returns when each was. */
  deleteBefore(before: EpochMs): readonly EpochMs[]
}

const WHY = 'why.json'

/** Names of the files of a store that are set aside together. */
export const filesOf = (file: string): readonly string[] => [file, `${file}-wal`, `${file}.head`]

/** @param file of the database. */
export function setAsidesOf(file: string): SetAsides {
  const list = (): SetAside[] =>
    namesIn(damagedFolder(file)).flatMap((name) => {
      const folder = join(damagedFolder(file), name)
      const bytes = namesIn(folder).reduce((sum, each) => sum + statSync(join(folder, each)).size, 0)
      const why = readWhy(folder)
      return why ? [{ name, bytes, ...why }] : []
    })
  return {
    list,
    deleteBefore(before) {
      const old = list().filter(({ at, held }) => !held && Date.parse(at) < before)
      try {
        for (const { name } of old) {
          const folder = join(damagedFolder(file), name)
          for (const each of namesIn(folder)) if (each.endsWith('.evidence')) eraseFile(join(folder, each))
          rmSync(folder, { recursive: true })
        }
      } catch (error) {
        throw fileError(error, 'a damaged store could not be removed')
      }
      return old.map(({ at }) => Date.parse(at))
    },
  }
}

/** The folder for what is being set aside now: the one of a try that was interrupted, or a new one. */
export function openSetAside(file: string, at: EpochMs): string {
  const begun = unfinished(file)
  if (begun !== undefined) return begun
  const stamp = iso(at).replaceAll(/[-:]|\.\d+/g, '')
  const taken = new Set(namesIn(damagedFolder(file)))
  let name = stamp
  for (let n = 2; taken.has(name); n++) name = `${stamp}-${n}`
  const folder = join(damagedFolder(file), name)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  sync(dirname(folder))
  return folder
}

/** Says why, before the store itself is moved there. */
export function explain(folder: string, why: SetAsideReason): void {
  replaceFile(join(folder, WHY), Buffer.from(JSON.stringify(why, null, 2) + '\n'))
}

/** Moves the files of a store into the folder that was opened for them. What an interrupted try moved already stays there. */
export function moveAside(file: string): void {
  const folder = unfinished(file)
  if (folder === undefined) return
  // The database last: with it, the folder is finished.
  for (const each of filesOf(file).toReversed()) {
    if (existsSync(each)) renameSync(each, join(folder, basename(each)))
  }
  sync(folder)
}

function damagedFolder(file: string): string {
  return `${file}.damaged`
}

function unfinished(file: string): string | undefined {
  return namesIn(damagedFolder(file))
    .map((name) => join(damagedFolder(file), name))
    .find((folder) => !existsSync(join(folder, basename(file))))
}

function readWhy(folder: string): SetAsideReason | undefined {
  try {
    const why = JSON.parse(readFileSync(join(folder, WHY), 'utf8')) as SetAsideReason
    // Earlier versions did not write it.
    return { ...why, lostUnderHold: (why as Partial<SetAsideReason>).lostUnderHold ?? [] }
  } catch {
    return undefined
  }
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : []
}
