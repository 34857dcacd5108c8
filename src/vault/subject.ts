import type { ControlAnswers, SubjectRequest } from '../channel/control-messages.ts'
import type { Config } from '../config/config.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import type { Logger } from '../log.ts'
import type { IsClockPlausible } from '../retention/clock.ts'
import type { SignAccount } from '../store/certificate.ts'
import type { Store } from '../store/open.ts'
import type { SubjectEvidence, SubjectScope } from '../store/subject.ts'

/** Answers requests of people about what the box holds about them. */
export interface SubjectDesk {
  export(request: SubjectRequest): ControlAnswers['subject-export']
  erase(request: SubjectRequest): Promise<ControlAnswers['subject-erase']>
}

const DAY_MS = 86_400_000

/** What the audit log says about others than who asks: who acted, and in which words. */
const ABOUT_OTHERS: ReadonlySet<string> = new Set(['by', 'reason'])

export function createSubjectDesk(deps: {
  readonly config: Config
  readonly store: Pick<Store, 'subjects'>
  readonly sign: SignAccount
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly isClockPlausible: IsClockPlausible
  readonly logger: Logger
}): SubjectDesk {
  const { config, store, now, logger } = deps
  const { tombstoneDays, auditDays } = config.retention

  return {
    export(request) {
      const at = now()
      const records = store.subjects.export(scopeOf(request), request.by, at)
      return {
        schema: 'roadveil.subject-export.v1',
        site: config.site.id,
        device: config.device.id,
        exportedAt: iso(at),
        basis: config.site.legalBasis,
        evidence: records.evidence.map((each) => ({
          evidenceId: each.evidenceId,
          camera: each.camera,
          rule: each.ruleId,
          judgedAt: iso(each.judgedAt),
          committedAt: iso(each.committedAt),
          bytes: each.ciphertextBytes,
          sha256: each.ciphertextSha256,
          cityConfirmedAt: each.deliveredAt === null ? null : iso(each.deliveredAt),
          held: each.held,
          ends: endOf(each),
        })),
        tombstones: records.tombstones.map((each) => ({
          evidenceId: each.evidenceId,
          camera: each.camera,
          judgedAt: iso(each.judgedAt),
          committedAt: iso(each.committedAt),
          bytes: each.ciphertextBytes,
          sha256: each.ciphertextSha256,
          cityConfirmedAt: iso(each.deliveredAt ?? each.deletedAt),
          deletedAt: iso(each.deletedAt),
          why: each.why,
          endsAt: iso(each.deletedAt + tombstoneDays * DAY_MS),
        })),
        audit: records.audit.map(({ sequence, at: recordedAt, kind, details }) => ({
          sequence,
          at: iso(recordedAt),
          kind,
          details: Object.fromEntries(Object.entries(details).filter(([key]) => !ABOUT_OTHERS.has(key))),
          endsAt: iso(recordedAt + auditDays * DAY_MS),
        })),
      }
    },

    async erase(request) {
      const at = now()
      const clockPlausible = await deps.isClockPlausible(at)
      const { by } = request
      const erased = store.subjects.erase(scopeOf(request), { by, at, clockPlausible, sign: deps.sign })
      logger.info('erased for a subject request', {
        count: erased.evidence.length + erased.tombstones.length,
      })
      return erased
    },
  }
}

function scopeOf({ evidenceId, timeSpan, camera }: SubjectRequest): SubjectScope {
  const [from, until] = timeSpan?.map((instant) => Date.parse(instant)) ?? []
  return { evidenceId, from, until, camera }
}

function endOf({ deliveredAt, held }: SubjectEvidence): string {
  const unconfirmed = deliveredAt === null ? ['the city has confirmed that it stored it'] : []
  const holds = held ? ['its legal holds are released'] : []
  const conditions = [...unconfirmed, ...holds]
  return conditions.length === 0 ? 'within a minute' : `when ${conditions.join(' and ')}`
}
