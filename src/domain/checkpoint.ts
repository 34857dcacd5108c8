/** A place in the audit log, and the hash that its chain has there. */
export interface AuditMark {
  readonly sequence: number
  /** SHA-256, lower-case hex. */
  readonly hash: string
}

/**
 * A box's word about how far its audit log has come, and by which way. Whoever keeps it can tell later whether the log was
 * rewritten, cut or put back since.
 */
export interface Checkpoint {
  readonly site: string
  readonly device: string
  /** Which log: made with the database, 32 hex digits. */
  readonly logId: string
  readonly head: AuditMark
  /** Where the checkpoints before this one were, oldest first: a log that went another way than the witness saw lacks its last one. */
  readonly marks: readonly AuditMark[]
  /** ISO 8601, UTC, on the box's clock. */
  readonly issuedAt: string
}
