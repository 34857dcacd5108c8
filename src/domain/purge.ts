import type { EpochMs } from './frame.ts'

/** What a purge deletes. */
export type PurgedKind =
  'evidence' | 'tombstones' | 'audit-rows' | 'log-files' | 'certificates' | 'day-keys' | 'damaged-stores'

/** Things of one kind that were deleted. */
export interface Deletion {
  readonly kind: PurgedKind
  readonly count: number
  /** The span of time that they were about: ISO 8601, UTC. */
  readonly from: string
  readonly to: string
}

/** What was deleted of one kind, and the span of time that it was about; null where nothing was. */
export interface Deleted {
  readonly count: number
  readonly from: EpochMs | null
  readonly to: EpochMs | null
}

/** What was deleted, and where the audit log says so. */
export interface PurgeAccount {
  /** UUID. */
  readonly certificateId: string
  readonly occasion: 'purge' | 'subject-request'
  /** ISO 8601, UTC, on the box's clock. */
  readonly issuedAt: string
  /** False when the clock was not believed and nothing was deleted by age. */
  readonly clockPlausible: boolean
  /** One a kind of which there was anything. */
  readonly deletions: readonly Deletion[]
  /** Evidence counts from the audit row behind `after` up to this one. */
  readonly audit: {
    /** Which log: 32 hex digits. */
    readonly logId: string
    readonly after: number
    readonly sequence: number
    /** SHA-256 that the chain has there, lower-case hex. */
    readonly hash: string
  }
}

/** The box's word about what it deleted, for the privacy officer. It names no evidence. */
export interface PurgeCertificate extends PurgeAccount {
  readonly site: string
  readonly device: string
  /** How many days each kind is kept; evidence goes with the city's receipt. */
  readonly policy: {
    readonly tombstoneDays: number
    readonly auditDays: number
    readonly logDays: number
    readonly certificateDays: number
  }
  /** SHA-256 of the config, lower-case hex. */
  readonly configSha256: string
}
