import { hkdfSync, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type EpochMs, iso } from '../domain/frame.ts'
import { query, type StoreDatabase, transact } from './database.ts'
import { destroyKeyHalf, readKeyHalf, writeKeyHalf } from './key-half.ts'
import type { SetAsides } from './set-aside.ts'
import type { Space } from './space.ts'

/** A key under which the keys of the evidence of one day are wrapped. */
export interface DayKey {
  /** 16 random hex digits. */
  readonly id: string
  /** 32 bytes. */
  readonly key: Buffer
}

/** Which days' keys were destroyed. */
export interface DestroyedKeys {
  readonly count: number
  /** UTC, YYYY-MM-DD; null where none was destroyed. */
  readonly firstDay: string | null
  readonly lastDay: string | null
}

/**
 * The outer keys of the store, one a day. Each is made of two halves: one in the database, one in a file beside it. Destroying either
 * makes the key, and what it wraps, useless wherever copies of it may lie.
 */
export interface DayKeys {
  /** The key of the day (UTC) on which `at` lies; made where there is none. Not inside a transaction, which could be undone. */
  ofDay(at: EpochMs): DayKey
  /** undefined where it was destroyed, or its file is lost. */
  find(id: string): Buffer | undefined
  /** Destroys every key that no evidence needs. */
  destroyUnused(): DestroyedKeys
  /** Destroys the halves in files that no row knows and that were written before `before`. */
  destroyOrphans(before: EpochMs): void
}

interface Row {
  id: string
  day: string
  half: Buffer
}

const HALF_BYTES = 32

/** @param file of the database: the keys' files lie in a folder beside it. */
export function dayKeysOf(
  db: StoreDatabase,
  file: string,
  { space, setAsides }: { readonly space: Space; readonly setAsides: Pick<SetAsides, 'list'> },
): DayKeys {
  const columns = 'day_key_id AS id, day, half'
  const byDay = db.prepare<[string], Row>(`SELECT ${columns} FROM day_key WHERE day = ?`)
  const byId = db.prepare<[string], Row>(`SELECT ${columns} FROM day_key WHERE day_key_id = ?`)
  const insert = db.prepare<[string, string, Buffer]>('INSERT INTO day_key VALUES (?, ?, ?)')
  const unused = db.prepare<[], Row>(
    `SELECT ${columns} FROM day_key WHERE day_key_id NOT IN (SELECT day_key_id FROM evidence_key) ORDER BY day`,
  )
  const remove = db.prepare<[string]>('DELETE FROM day_key WHERE day_key_id = ?')
  const known = new Map<string, Buffer>()
  const fileOf = (id: string): string => join(`${file}.days`, id)

  function restore({ id, half }: Row): Buffer | undefined {
    const before = known.get(id)
    if (before) return before
    const other = readKeyHalf(fileOf(id))
    if (!other) return undefined
    const key = derive(other, half)
    known.set(id, key)
    return key
  }

  function make(day: string): DayKey {
    const id = randomBytes(8).toString('hex')
    const [half, other] = [randomBytes(HALF_BYTES), randomBytes(HALF_BYTES)]
    // The file first: a row must never name a key that a power cut took.
    writeKeyHalf(fileOf(id), other)
    transact(db, () => insert.run(id, day, half))
    const key = derive(other, half)
    known.set(id, key)
    return { id, key }
  }

  function orphans(before: EpochMs): string[] {
    const folder = `${file}.days`
    if (!existsSync(folder)) return []
    return readdirSync(folder).filter(
      (id) => !query(() => byId.get(id)) && statSync(join(folder, id)).mtimeMs < before,
    )
  }

  return {
    ofDay(at) {
      const day = dayOf(at)
      for (const row of query(() => byDay.all(day))) {
        const key = restore(row)
        if (key) return { id: row.id, key }
      }
      return make(day)
    },

    find(id) {
      const row = query(() => byId.get(id))
      return row && restore(row)
    },

    destroyUnused() {
      const needed = new Set(setAsides.list().flatMap(({ dayKeyIds }) => dayKeyIds))
      const rows = query(() => unused.all()).filter(({ id }) => !needed.has(id))
      for (const { id } of rows) {
        // The file first: interrupted, the row is left to say that this is to be done again.
        destroyKeyHalf(fileOf(id))
        known.get(id)?.fill(0)
        known.delete(id)
        space.transactDeleting(() => remove.run(id))
      }
      if (rows.length > 0) space.checkpoint()
      return { count: rows.length, firstDay: rows[0]?.day ?? null, lastDay: rows.at(-1)?.day ?? null }
    },

    destroyOrphans(before) {
      // Of rows that were lost with a damaged store, they may still be asked for while it is kept.
      if (setAsides.list().length === 0) for (const id of orphans(before)) destroyKeyHalf(fileOf(id))
    },
  }
}

/** The day (UTC) on which a moment lies: YYYY-MM-DD. */
export function dayOf(at: EpochMs): string {
  return iso(at).slice(0, 10)
}

/** Without both halves there is nothing to go by. */
function derive(inFile: Buffer, inDatabase: Buffer): Buffer {
  const both = Buffer.concat([inFile, inDatabase])
  const key = Buffer.from(hkdfSync('sha256', both, '', 'roadveil day key v1', 32))
  for (const bytes of [both, inFile, inDatabase]) bytes.fill(0)
  return key
}
