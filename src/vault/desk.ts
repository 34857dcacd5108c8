import type { ControlHandler } from '../channel/control.ts'
import type { EvidenceRow, VaultStatus } from '../channel/control-messages.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Logger } from '../log.ts'
import type { StoredEvidence } from '../store/inventory.ts'
import type { Store } from '../store/open.ts'

/** Answers what people ask of the running vault. */
export function createDesk(deps: {
  readonly store: Pick<Store, 'inventory' | 'holds'>
  readonly readStatus: () => Promise<VaultStatus>
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly logger: Logger
}): ControlHandler {
  const { store, now, logger } = deps
  return async (request) => {
    switch (request.verb) {
      case 'status':
        return deps.readStatus()
      case 'evidence-list':
        return { evidence: store.inventory.list().map(evidenceRow) }
      case 'evidence-hold': {
        const { evidenceId, reason, by, caseNumber } = request
        store.holds.place(evidenceId, {
          reason,
          by,
          at: now(),
          ...(caseNumber === undefined ? {} : { caseNumber }),
        })
        logger.info('a legal hold was placed', { evidenceId })
        return { evidenceId }
      }
      case 'evidence-release': {
        const { evidenceId, reason, by } = request
        store.holds.release(evidenceId, { reason, by, at: now() })
        logger.info('a legal hold was released', { evidenceId })
        return { evidenceId }
      }
    }
  }
}

function evidenceRow(stored: StoredEvidence): EvidenceRow {
  const { evidenceId, camera, attempts, hold } = stored
  return {
    evidenceId,
    camera,
    judgedAt: iso(stored.judgedAt),
    committedAt: iso(stored.committedAt),
    bytes: stored.ciphertextBytes,
    state: stored.state === 'pending' ? 'outbox' : 'held',
    attempts,
    code: stored.lastErrorCode,
    hold: hold && {
      reason: hold.reason,
      by: hold.by,
      caseNumber: hold.caseNumber,
      heldAt: iso(hold.at),
    },
  }
}
