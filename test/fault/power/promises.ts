import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { isRoadveilError } from '../../../src/errors.ts'
import { readKeyHalf } from '../../../src/store/key-half.ts'
import type { Store } from '../../../src/store/open.ts'
import type { Harm, Tally } from '../tally.ts'

/** What a process has acknowledged so far, by the lines that it said. */
export interface Promises {
  hear(line: string): void
  /** Opens what is left of the store, and reports what it does not keep. Returns false where it does not open. */
  check(
    left: { readonly open: () => Store; readonly database: () => { readonly file: string } },
    what: string,
    tally: Pick<Tally, 'harm'>,
  ): boolean
}

export function promisesOf(): Promises {
  const stored = new Map<string, string>()
  // Cut between saying that it settles and saying that it has: either is right.
  const settling = new Set<string>()
  const settled = new Set<string>()
  const destroyed = new Set<string>()

  return {
    hear(line) {
      const [word = '', id = '', sha256 = ''] = line.split(' ')
      if (word === 'stored') stored.set(id, sha256)
      if (word === 'settling') settling.add(id)
      if (word === 'settled') settled.add(id)
      if (word === 'destroyed') destroyed.add(id)
    },
    check({ open, database }, what, tally) {
      try {
        using store = open()
        store.audit.verify()
        const listed = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
        const [gone, unreadable, back]: [string[], string[], string[]] = [[], [], []]
        for (const [id, sha256] of stored) {
          if (settled.has(id)) {
            if (listed.has(id)) back.push(id)
          } else if (listed.has(id)) {
            if (hashOf(store, id) !== sha256) unreadable.push(id)
          } else if (!settling.has(id)) gone.push(id)
        }
        const tell = (kind: Harm, ids: readonly string[], how: string): void => {
          if (ids.length > 0)
            tally.harm(kind, `${what}: ${ids.length} of ${stored.size} ${how}, such as ${ids[0] ?? ''}`)
        }
        tell('lost', gone, 'are gone')
        tell('lost', unreadable, 'cannot be read')
        tell('broken', back, 'came back after their receipt')
        const days = `${database().file}.days`
        for (const id of destroyed)
          if (readKeyHalf(join(days, id)))
            tally.harm('leaked', `${what}: the destroyed day key ${id} is back`)
        return true
      } catch (error) {
        const kind = stored.size > 0 ? 'lost' : 'broken'
        tally.harm(kind, `${what}: the store does not open: ${textOf(error)}`)
        return false
      }
    },
  }
}

function hashOf(store: Store, id: string): string | undefined {
  const hash = createHash('sha256')
  try {
    for (let index = 0; ; index++) hash.update(store.outbox.chunk(id, index))
  } catch (error) {
    return isRoadveilError(error, 'ERR_EVIDENCE_UNKNOWN') ? hash.digest('hex') : undefined
  }
}

function textOf(error: unknown): string {
  return isRoadveilError(error) ? `${error.code}: ${error.message}` : String(error)
}
