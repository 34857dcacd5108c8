import type { AuditMark, Checkpoint } from '../domain/checkpoint.ts'
import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { verifyCheckpoint } from '../sealing/checkpoint.ts'
import type { VerifyKeys } from '../sealing/keys.ts'
import type { AuditFault } from '../store/audit-chain.ts'
import type { Store } from '../store/open.ts'

/** What the audit log is checked with. */
export interface AuditChecked {
  readonly store: Pick<Store, 'audit' | 'checkpoints'>
  readonly deviceId: string
  /** The keys that this box has signed with. */
  readonly signers: VerifyKeys
}

/** How the log stands to what was signed about it. */
type WitnessFault = Omit<AuditFault, 'kind'> & {
  readonly kind: 'forked' | 'rolled-back' | 'replaced' | 'unsigned'
}

/** What was found about the audit log of a box. */
export interface AuditReport {
  readonly logId: string
  readonly rows: number
  /** Rows before it were pruned by retention. */
  readonly firstSequence: number
  readonly lastSequence: number
  /** Signed checkpoints, kept here and the one of the city, that were compared with the rows. */
  readonly checkpoints: number
  /** Rows that damage to the store has taken, as the log itself says. */
  readonly lost: number
  readonly faults: readonly (AuditFault | WitnessFault)[]
}

/**
 * Checks the whole log: the chain itself, and that it goes through every checkpoint that was signed, the city's included. Who has
 * the database key can forge a chain, but not make the city forget what it witnessed.
 *
 * @param witnessed a checkpoint as the city stored it.
 * @throws for that one what `verifyCheckpoint` throws, and the signal's reason.
 */
export async function reportAudit(
  checked: AuditChecked,
  { witnessed, signal }: { readonly witnessed?: Uint8Array | undefined; readonly signal: AbortSignal },
): Promise<AuditReport> {
  const { audit, checkpoints } = checked.store
  const { rows, faults: chainFaults, salvagedAt, lost } = await audit.checkInSteps(signal)
  const { logId, head, anchor } = audit.ends()
  const faults: (AuditFault | WitnessFault)[] = [...chainFaults]
  const signed: Checkpoint[] = []
  for (const { sequence, envelope } of checkpoints.list()) {
    if (sequence < salvagedAt) {
      const message = `row ${salvagedAt} says that the store was salvaged, but a checkpoint of row ${sequence} was not lost with it`
      faults.push({ sequence: salvagedAt, kind: 'forked', message })
    }
    const checkpoint = readOwn(envelope, checked)
    if (checkpoint) signed.push(checkpoint)
    else {
      const message = `the checkpoint kept here of row ${sequence} is not one that this box signed`
      faults.push({ sequence, kind: 'unsigned', message })
    }
  }
  const sender = { deviceId: checked.deviceId, deviceKeys: checked.signers }
  if (witnessed) signed.push(verifyCheckpoint(witnessed, sender))

  for (const fault of signed.flatMap((each) => compare(checked.store, each))) {
    if (faults.every(({ sequence, kind }) => sequence !== fault.sequence || kind !== fault.kind))
      faults.push(fault)
  }
  faults.sort((a, b) => a.sequence - b.sequence)
  return {
    logId,
    rows,
    firstSequence: anchor.sequence + 1,
    lastSequence: head.sequence,
    checkpoints: signed.length,
    lost,
    faults,
  }
}

/** Records that this box starts with this version and key. A store that takes nothing now does not keep it from starting. */
export function recordStart(
  { audit }: Pick<Store, 'audit'>,
  details: { readonly version: string; readonly signingKeyId: string },
  { at, logger }: { readonly at: EpochMs; readonly logger: Logger },
): void {
  try {
    audit.record('vault-started', details, at)
  } catch (error) {
    logger.error('the start could not be recorded', { error })
  }
}

function readOwn(
  envelope: Uint8Array,
  { deviceId, signers: deviceKeys }: AuditChecked,
): Checkpoint | undefined {
  try {
    return verifyCheckpoint(envelope, { deviceId, deviceKeys })
  } catch (error) {
    if (!isRoadveilError(error)) throw error
    return undefined
  }
}

/** Where the log contradicts a checkpoint. Marks of rows that retention has pruned can no longer be compared. */
function compare({ audit }: AuditChecked['store'], checkpoint: Checkpoint): WitnessFault[] {
  const { logId, head, anchor } = audit.ends()
  const signed = `the checkpoint signed at ${checkpoint.issuedAt}`
  if (checkpoint.logId !== logId) {
    return [
      { sequence: 1, kind: 'replaced', message: `${signed} is about another log: this one was made anew` },
    ]
  }
  return [...checkpoint.marks, checkpoint.head].flatMap(({ sequence, hash }: AuditMark): WitnessFault[] => {
    if (sequence > head.sequence) {
      const message = `the log ends at row ${head.sequence}, but ${signed} names row ${sequence}`
      return [{ sequence, kind: 'rolled-back', message }]
    }
    const found = sequence === anchor.sequence ? anchor.hash : audit.hashAt(sequence)
    if (found === undefined || found === hash) return []
    return [{ sequence, kind: 'forked', message: `row ${sequence} is not the one that ${signed} names` }]
  })
}

/** What the check at the start has found; undefined while it goes on. */
export interface AuditVerdict {
  readonly fault: string | undefined
}

/** The check at the start. Whoever changed the log is not helped by a box that stops: evidence goes on, people are told. */
export async function checkAtStart(
  checked: AuditChecked,
  { signal, logger }: { readonly signal: AbortSignal; readonly logger: Logger },
): Promise<AuditVerdict | undefined> {
  try {
    const [first] = (await reportAudit(checked, { signal })).faults
    if (first) throw new RoadveilError('ERR_AUDIT_BROKEN', first.message)
    return { fault: undefined }
  } catch (error) {
    if (signal.aborted) return undefined
    logger.error('the audit log is not what was written', { error })
    return { fault: isRoadveilError(error) ? error.message : 'it could not be checked' }
  }
}
