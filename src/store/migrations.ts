import { RoadveilError } from '../errors.ts'
import { type StoreDatabase, transact } from './database.ts'

/** Each entry takes the store one version up. Never change one that was released: add another. */
const MIGRATIONS = [
  `
  -- One row an evidence; sequence numbers rise by one for each and are never used again.
  CREATE TABLE evidence (
    sequence INTEGER PRIMARY KEY,
    evidence_id TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    rule_id TEXT NOT NULL,
    judged_at INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    ciphertext_sha256 TEXT NOT NULL,
    ciphertext_bytes INTEGER NOT NULL,
    chunk_count INTEGER NOT NULL,
    -- Set when the city has it and only a legal hold keeps it here.
    delivered_at INTEGER,
    receipt_key_id TEXT
  ) STRICT;

  CREATE INDEX evidence_delivered ON evidence (sequence) WHERE delivered_at IS NOT NULL;

  CREATE TABLE manifest (
    sequence INTEGER PRIMARY KEY REFERENCES evidence ON DELETE CASCADE,
    envelope BLOB NOT NULL
  ) STRICT;

  CREATE TABLE chunk (
    sequence INTEGER NOT NULL REFERENCES evidence ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL,
    bytes BLOB NOT NULL CHECK (length(bytes) BETWEEN 1 AND 98304),
    PRIMARY KEY (sequence, chunk_index)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE outbox (
    sequence INTEGER PRIMARY KEY REFERENCES evidence ON DELETE CASCADE,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    last_error TEXT
  ) STRICT;

  CREATE TABLE hold (
    sequence INTEGER PRIMARY KEY REFERENCES evidence ON DELETE RESTRICT,
    case_number TEXT,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL
  ) STRICT;

  CREATE TABLE tombstone (
    sequence INTEGER PRIMARY KEY,
    evidence_id TEXT NOT NULL UNIQUE,
    camera TEXT NOT NULL,
    ciphertext_sha256 TEXT NOT NULL,
    ciphertext_bytes INTEGER NOT NULL,
    judged_at INTEGER NOT NULL,
    committed_at INTEGER NOT NULL,
    delivered_at INTEGER NOT NULL,
    receipt_key_id TEXT NOT NULL,
    deleted_at INTEGER NOT NULL,
    why TEXT NOT NULL
  ) STRICT;
  CREATE INDEX tombstone_deleted ON tombstone (deleted_at);

  CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    hash TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audit_at ON audit (at);
  CREATE INDEX audit_discarded ON audit (json_extract(details, '$.evidenceId')) WHERE kind = 'evidence-discarded';

  CREATE TABLE schedule_run (
    job TEXT PRIMARY KEY,
    ran_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE meta (
    last_sequence INTEGER NOT NULL,
    -- The last audit row, so that rows cut off the end show.
    audit_head_sequence INTEGER NOT NULL,
    audit_head_hash TEXT NOT NULL,
    -- The last audit row that retention has deleted: the chain begins after it.
    audit_anchor_sequence INTEGER NOT NULL,
    audit_anchor_hash TEXT NOT NULL,
    -- Software and networks that last passed the self-test.
    selftest_passed_by TEXT
  ) STRICT;
  INSERT INTO meta VALUES (0, 0, '', 0, '', NULL);
  `,
]

/** Brings the store to this program's version, each step whole or not at all. Throws ERR_STORE_VERSION for a newer store. */
export function migrate(db: StoreDatabase): void {
  const version = db.pragma('user_version', { simple: true }) as number
  if (version > MIGRATIONS.length) {
    throw new RoadveilError(
      'ERR_STORE_VERSION',
      `the store has version ${version}, newer than ${MIGRATIONS.length}`,
    )
  }
  MIGRATIONS.slice(version).forEach((sql, index) => {
    transact(db, () => {
      db.exec(sql)
      db.pragma(`user_version = ${version + index + 1}`)
    })
  })
}
