import type { Store } from '../../src/store/open.ts'
import { CASES, type RottenBox, STARTED } from './rotten-box.ts'
import type { Tally } from './tally.ts'

/** After everything that happened at the box, and after the salvage. */
const NOW = STARTED + 3_000
/** Commands are refused for as long where only the clock says until when some may have been taken. */
const SURELY_AFTER_MS = 10 * 60_000

/**
 * Judges what a recovered box has kept of the city's word: what is under a hold stays there, held evidence that is lost is named as
 * that and never counts as purged, and a command that was done changes nothing when it comes again, while a new one is done.
 *
 * @param name of the fault
 */
export async function judgeWord(
  name: string,
  store: Store,
  box: RottenBox,
  { wentBack, tally }: { readonly wentBack: boolean; readonly tally: Tally },
): Promise<void> {
  const harm = (what: string): void => tally.harm('broken', `${name}: ${what}`)
  // Of what the log has lost, too, nobody can know the case.
  const isLogWhole = !wentBack && store.audit.check().lost === 0
  judgeHeld(name, store, box, { isLogWhole, tally })

  const before = holdsOf(store)
  const desk = await box.desk(store, NOW)
  for (const { commandId, envelope } of box.spent) {
    await desk.take(commandId, envelope)
    if (holdsOf(store) !== before) harm('a command that was done is done again')
  }
  const stayed = heldIn(store, box)
  store.expiry.deleteDelivered(NOW)
  for (const id of stayed)
    if (!isThere(store, id)) tally.harm('lost', `${name}: ${id} is deleted under a hold`)

  const at = NOW + SURELY_AFTER_MS
  const criteria = { camera: 'bus-stop' }
  const { commandId, envelope } = box.sign({ kind: 'hold', caseNumber: 'new', subject: { criteria } }, at)
  await (await box.desk(store, at)).take(commandId, envelope)
  if (!holdsOf(store).includes('"new"')) harm('a new command is not done')
}

function judgeHeld(
  name: string,
  store: Store,
  box: RottenBox,
  { isLogWhole, tally }: { readonly isLogWhole: boolean; readonly tally: Tally },
): void {
  const setAsides = store.damage.setAsides()
  const lost = new Set(setAsides.flatMap((each) => each.lost))
  const named = new Set(setAsides.flatMap((each) => each.lostUnderHold.map(({ evidenceId }) => evidenceId)))
  const rows = store.audit.list(1_000)
  for (const evidenceId of box.held) {
    const stored = store.inventory.list().find((each) => each.evidenceId === evidenceId)
    if (stored) {
      const cases = stored.holds.map(({ caseNumber }) => caseNumber)
      const isHeld = isLogWhole ? CASES.every((each) => cases.includes(each)) : cases.length > 0
      if (!isHeld)
        tally.harm('broken', `${name}: ${evidenceId} has lost its hold, and has ${cases.join() || 'none'}`)
    } else if (lost.has(evidenceId) && !named.has(evidenceId))
      tally.harm('lost', `${name}: nobody is told that ${evidenceId} is lost under a hold`)
    if (rows.some(({ kind, details }) => kind === 'evidence-deleted' && details['evidenceId'] === evidenceId))
      tally.harm('lost', `${name}: ${evidenceId} counts as purged, and was lost under a hold`)
  }
}

function holdsOf(store: Store): string {
  return JSON.stringify(store.holds.list().map(({ caseNumber, evidenceId }) => [caseNumber, evidenceId]))
}

function heldIn(store: Store, { held }: RottenBox): readonly string[] {
  return store.inventory
    .list()
    .filter(({ evidenceId, holds }) => held.includes(evidenceId) && holds.length > 0)
    .map(({ evidenceId }) => evidenceId)
}

function isThere(store: Store, evidenceId: string): boolean {
  return store.inventory.list().some((each) => each.evidenceId === evidenceId)
}
