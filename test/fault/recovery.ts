import { isRoadveilError } from '../../src/errors.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import type { Store } from '../../src/store/open.ts'
import { judgeWord } from './held.ts'
import { receiptFor } from '../store/store.fixture.ts'
import { keptLog } from '../support/kept-log.ts'
import { type RottenBox, STARTED } from './rotten-box.ts'
import { HARMS, type Tally, tallyOf } from './tally.ts'

/** Starts that a box may need until everything is as it must be. */
const MOST_STARTS = 4
/** Evidence of which a single page of the database can hold a part. */
const MOST_IN_A_PAGE = 8

/**
 * Starts a damaged box until it works, and judges what became of its evidence: each is whole, or cannot be read and says so, or is
 * named as lost; nothing more is gone than was hit; the box works; the city has seen it; what the city has ordered holds.
 *
 * @param hits places in the database that were damaged, at most; Infinity where anything may be gone.
 */
export async function judgeRecovery(
  name: string,
  box: RottenBox,
  { hits, tally }: { readonly hits: number; readonly tally: Tally },
): Promise<void> {
  const began = performance.now()
  const log = keptLog()
  const harm = (what: string): void => tally.harm('broken', `${name}: ${what}`)
  let settled: string | undefined
  for (let start = 1; ; start++) {
    if (start > MOST_STARTS) {
      harm(`it does not work after ${MOST_STARTS} starts`)
      return
    }
    const toRestart = new AbortController()
    const mustRestart = (): boolean => toRestart.signal.aborted
    using store = box.open(log, () => toRestart.abort())
    const { whole, unreadable, gone } = sort(store, box, settled, harm)
    settled = (await useIt(store, box, settled ?? whole[0], harm)) ?? settled
    // What cannot be read is set aside by the next start.
    if (mustRestart() || unreadable.some(({ code }) => code === 'ERR_STORE_CORRUPT')) continue

    const setAsides = store.damage.setAsides()
    const wentBack = log.lines.some(({ fields }) => isRoadveilError(fields?.error, 'ERR_STORE_ROLLED_BACK'))
    const named = new Set(setAsides.flatMap(({ lost }) => lost))
    const silent = gone.filter(({ evidenceId: id }) => !named.has(id) && !(wentBack && box.newest.has(id)))
    if (silent.length > setAsides.reduce((sum, { unnamed }) => sum + unnamed, 0))
      for (const { evidenceId } of silent) tally.harm('lost', `${name}: ${evidenceId} is gone without a word`)
    const missing = gone.length + unreadable.length
    if (missing > hits * MOST_IN_A_PAGE) tally.harm('lost', `${name}: ${missing} are gone for ${hits} hits`)
    const [fault] = store.audit.check().faults
    if (fault) harm(`the audit log does not explain itself: ${fault.message}`)
    const alarms = await box.alarms(store)
    const isSeen = setAsides.length > 0 || wentBack
    // The city may see more than the box, where a cut took no more than the newest rows of the log; never where nothing was damaged.
    if (isSeen ? alarms.length === 0 : alarms.length > 0 && hits === 0)
      harm(`the city sees ${alarms.join() || 'nothing'} after ${setAsides.length} salvages`)
    const word = tallyOf()
    await judgeWord(name, store, box, { wentBack, tally: word })
    // A command was the first to meet damage, say in a free page: it is refused, and comes again after the next start.
    if (mustRestart()) continue
    for (const kind of HARMS) for (const what of word.harms[kind]) tally.harm(kind, what)
    tally.recovered(performance.now() - began)
    return
  }
}

type Code = string

/** What is whole, what cannot be read, and what is not there. */
function sort(
  store: Store,
  box: RottenBox,
  settled: string | undefined,
  harm: (what: string) => void,
): {
  readonly whole: readonly SealedParts[]
  readonly unreadable: readonly { readonly code: Code }[]
  readonly gone: readonly SealedParts[]
} {
  const listed = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
  const whole: SealedParts[] = []
  const unreadable: { code: Code }[] = []
  const gone: SealedParts[] = []
  for (const sealed of box.waiting) {
    const { evidenceId, chunks, manifest } = sealed
    if (evidenceId === settled) continue
    if (!listed.has(evidenceId)) {
      gone.push(sealed)
      continue
    }
    try {
      const found = [
        ...chunks.map((_, i) => store.outbox.chunk(evidenceId, i)),
        store.outbox.manifest(evidenceId),
      ]
      const isSame = [...chunks, manifest].every((bytes, i) =>
        Buffer.from(found[i] ?? []).equals(Buffer.from(bytes)),
      )
      if (isSame) whole.push(sealed)
      else harm('damaged bytes pass for what was stored')
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      unreadable.push({ code: error.code })
    }
  }
  return { whole, unreadable, gone }
}

/** Receipts delete, new evidence is taken, and its number was never given before. Returns what was settled. */
async function useIt(
  store: Store,
  box: RottenBox,
  next: string | SealedParts | undefined,
  harm: (what: string) => void,
): Promise<string | undefined> {
  const settled = typeof next === 'object' ? next.evidenceId : undefined
  try {
    const at = STARTED + 2_000
    if (typeof next === 'object') store.outbox.settle(receiptFor(next), at)
    const sealed = await box.seal(30_000)
    store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'r', judgedAt: at, at })
    const sequence = Number(store.audit.list(1)[0]?.details['sequence'])
    if (sequence <= box.waiting.length + 2) harm(`evidence gets the number ${sequence} again`)
  } catch (error) {
    if (!isRoadveilError(error, 'ERR_STORE_CORRUPT')) throw error
  }
  // Also where its bytes could not be deleted, or nothing could be stored after it: the city has it.
  return settled
}
