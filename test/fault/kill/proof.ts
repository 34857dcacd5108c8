import { readdirSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Config } from '../../../src/config/config.ts'
import { reportAudit } from '../../../src/vault/audit.ts'
import { loadStoreKeys } from '../../../src/vault/keys.ts'
import { openAsVault } from '../power/open-as-vault.ts'
import type { Rounds } from '../suite.ts'

/** What was promised, and what came of it. */
export interface Promised {
  /** Evidence that vault has answered for. */
  readonly acknowledged: ReadonlySet<string>
  /** How often the city has accepted which. */
  readonly atCity: ReadonlyMap<string, number>
  /** Where the city puts what it has opened. */
  readonly evidence: string
}

/** Everything acknowledged is at the city, and everything there came once; the box's record says so, too. */
export async function prove(
  config: Config,
  { acknowledged, atCity, evidence }: Promised,
  tally: Rounds['tally'],
): Promise<void> {
  // A box that gets to nothing between two kills loses nothing, either.
  if (acknowledged.size < 8) tally.harm('broken', `only ${acknowledged.size} evidence were acknowledged`)
  using store = openAsVault(config)
  const halves = readdirSync(dirname(config.store.file)).filter((name) => name.includes('.next'))
  if (halves.length > 0) tally.harm('broken', `${halves.join(', ')} is left of changes of keys`)
  const waiting = new Set(store.inventory.list().map(({ evidenceId }) => evidenceId))
  const folders = new Set(readdirSync(evidence))
  for (const id of acknowledged) {
    if (waiting.has(id)) continue
    if (!atCity.has(id) || !folders.has(id))
      tally.harm('lost', `${id} is neither in the store nor at the city`)
    if (!store.evidence.has(id)) tally.harm('lost', `nothing of ${id} is left on record`)
  }
  for (const [id, times] of atCity)
    if (times > 1) tally.harm('duplicated', `the city accepted ${id} ${times} times`)
  const { signers } = loadStoreKeys(config, {})
  const checked = { store, deviceId: config.device.id, signers }
  const { faults, rows } = await reportAudit(checked, { signal: new AbortController().signal })
  for (const { message } of faults) tally.harm('broken', `the audit log: ${message}`)
  const delivered = store.audit.list(rows).filter(({ kind }) => kind === 'evidence-delivered')
  const ids = delivered.map(({ details }) => details['evidenceId'])
  if (new Set(ids).size !== ids.length) tally.harm('duplicated', 'the record has an evidence delivered twice')
}
