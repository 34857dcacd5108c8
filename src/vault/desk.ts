import type { ControlHandler } from '../channel/control.ts'
import type { EvidenceRow, HoldRow, VaultStatus } from '../channel/control-messages.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Logger } from '../log.ts'
import type { Hold } from '../store/hold.ts'
import type { StoredEvidence } from '../store/inventory.ts'
import type { Store } from '../store/open.ts'
import type { AuditReport } from './audit.ts'
import type { CertificatePage } from './certificates.ts'
import type { SubjectDesk } from './subject.ts'

/** Answers what people ask of the running vault. */
export function createDesk(deps: {
  readonly store: Pick<Store, 'inventory' | 'holds'>
  /** Takes a checkpoint of the city to compare with. */
  readonly reportAudit: (witnessed: Uint8Array | undefined) => Promise<AuditReport>
  readonly subjects: SubjectDesk
  /** Takes the number of the last one that is known. */
  readonly readCertificates: (after: number) => CertificatePage
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
        store.holds.place(evidenceId, { reason, by, at: now(), caseNumber })
        logger.info('a legal hold was placed', { evidenceId })
        return { evidenceId }
      }
      case 'evidence-release': {
        const { evidenceId, reason, by, caseNumber } = request
        store.holds.release(evidenceId, { reason, by, at: now(), caseNumber })
        logger.info('a legal hold was released', { evidenceId })
        return { evidenceId }
      }
      case 'case-hold': {
        const { caseNumber, reason, by, criteria } = request
        const { camera, rule: ruleId, timeSpan } = criteria
        const [from, until] = timeSpan?.map((instant) => Date.parse(instant)) ?? []
        const evidence = store.holds.placeOn(
          { camera, ruleId, from, until },
          { caseNumber, reason, by, at: now() },
        )
        logger.info('a legal hold was placed', { count: evidence })
        return { caseNumber, evidence }
      }
      case 'case-release': {
        const { caseNumber, reason, by } = request
        const holds = store.holds.releaseCase(caseNumber, { reason, by, at: now() })
        logger.info('the legal holds of a case were released', { count: holds })
        return { caseNumber, holds }
      }
      case 'holds-list':
        return { holds: store.holds.list().map(holdRow) }
      case 'audit-verify': {
        const { checkpoint } = request
        return deps.reportAudit(checkpoint === undefined ? undefined : Buffer.from(checkpoint, 'base64'))
      }
      case 'subject-export':
        return deps.subjects.export(request)
      case 'subject-erase':
        return deps.subjects.erase(request)
      case 'purge-certificates':
        return deps.readCertificates(request.after)
    }
  }
}

function evidenceRow(stored: StoredEvidence): EvidenceRow {
  const { evidenceId, camera, attempts, holds } = stored
  return {
    evidenceId,
    camera,
    judgedAt: iso(stored.judgedAt),
    committedAt: iso(stored.committedAt),
    bytes: stored.ciphertextBytes,
    state: stored.state === 'pending' ? 'outbox' : 'held',
    attempts,
    code: stored.lastErrorCode,
    holds: holds.map(({ reason, by, caseNumber, at }) => ({ reason, by, caseNumber, heldAt: iso(at) })),
  }
}

function holdRow({ ruleId: rule, at, from, until, ...hold }: Hold): HoldRow {
  return { ...hold, rule, heldAt: iso(at), from: isoOrNull(from), until: isoOrNull(until) }
}

function isoOrNull(at: EpochMs | null): string | null {
  return at === null ? null : iso(at)
}
