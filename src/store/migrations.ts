import { RoadveilError } from '../errors.ts'
import { type StoreDatabase, transact } from './database.ts'

/** Each entry takes the store one version up. Never change one that was released: add another. */
export const MIGRATIONS: readonly string[] = [
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
  `
  -- Tells this log from one that begins anew, or that another database holds.
  ALTER TABLE meta ADD COLUMN audit_log_id TEXT NOT NULL DEFAULT '';
  UPDATE meta SET audit_log_id = lower(hex(randomblob(16)));

  -- The last signed checkpoints of the audit log.
  CREATE TABLE checkpoint (
    sequence INTEGER PRIMARY KEY,
    hash TEXT NOT NULL,
    issued_at INTEGER NOT NULL,
    envelope BLOB NOT NULL
  ) STRICT;

  CREATE INDEX audit_pruned ON audit (sequence) WHERE kind = 'audit-pruned';
  `,
  `
  -- One half of each day's key; the other half lies in a file of its own.
  CREATE TABLE day_key (
    day_key_id TEXT PRIMARY KEY,
    -- UTC, YYYY-MM-DD.
    day TEXT NOT NULL,
    half BLOB NOT NULL CHECK (length(half) = 32)
  ) STRICT, WITHOUT ROWID;

  -- The key of each evidence, wrapped with its day's. Evidence from before there were any has none until the next purge.
  CREATE TABLE evidence_key (
    sequence INTEGER PRIMARY KEY REFERENCES evidence ON DELETE CASCADE,
    day_key_id TEXT NOT NULL REFERENCES day_key ON DELETE RESTRICT,
    wrapped BLOB NOT NULL
  ) STRICT;
  CREATE INDEX evidence_key_day ON evidence_key (day_key_id);

  -- Signed accounts of what was deleted.
  CREATE TABLE certificate (
    certificate_number INTEGER PRIMARY KEY AUTOINCREMENT,
    issued_at INTEGER NOT NULL,
    envelope BLOB NOT NULL
  ) STRICT;
  CREATE INDEX certificate_issued ON certificate (issued_at);
  -- The last audit row whose deletions are in a certificate; what was deleted before there were any is in none.
  ALTER TABLE meta ADD COLUMN certified_through INTEGER NOT NULL DEFAULT 0;
  UPDATE meta SET certified_through = audit_head_sequence;
  `,
  `
  CREATE TABLE legal_hold (
    hold_number INTEGER PRIMARY KEY AUTOINCREMENT,
    case_number TEXT,
    reason TEXT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_at INTEGER NOT NULL,
    -- On one evidence, or on everything that fits all of what is set, whenever it is stored.
    sequence INTEGER REFERENCES evidence ON DELETE RESTRICT,
    camera TEXT,
    rule_id TEXT,
    judged_from INTEGER,
    judged_until INTEGER,
    CHECK (sequence IS NOT NULL OR case_number IS NOT NULL),
    CHECK ((sequence IS NULL) <> (coalesce(camera, rule_id, judged_from, judged_until) IS NULL))
  ) STRICT;
  INSERT INTO legal_hold (case_number, reason, placed_by, placed_at, sequence)
    SELECT case_number, reason, placed_by, placed_at, sequence FROM hold ORDER BY placed_at;
  DROP TABLE hold;
  CREATE INDEX legal_hold_evidence ON legal_hold (sequence);

  CREATE VIEW held AS SELECT evidence.sequence, hold_number FROM evidence JOIN legal_hold ON
    legal_hold.sequence = evidence.sequence
    OR (legal_hold.sequence IS NULL
      AND coalesce(legal_hold.camera, evidence.camera) = evidence.camera
      AND coalesce(legal_hold.rule_id, evidence.rule_id) = evidence.rule_id
      AND coalesce(judged_from, judged_at) <= judged_at
      AND coalesce(judged_until, judged_at + 1) > judged_at);

  -- For the holds on criteria, what the foreign key is for the others.
  CREATE TRIGGER held_stays BEFORE DELETE ON evidence
    WHEN EXISTS (SELECT 1 FROM held WHERE held.sequence = OLD.sequence)
    BEGIN SELECT RAISE(ABORT, 'a legal hold is on it'); END;
  `,
  `
  -- Commands of the city that were taken, until they have expired: none is done twice.
  CREATE TABLE command (
    command_id TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    -- The signing key with which the box began one that does not fit into a transaction.
    key_id_before TEXT,
    -- Signed; NULL while it is being done.
    answer BLOB,
    -- 1 until the broker has the answer.
    unsent INTEGER NOT NULL DEFAULT 0
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX command_unsent ON command (unsent) WHERE unsent = 1;
  -- The latest expiry of a command that was forgotten.
  ALTER TABLE meta ADD COLUMN commands_forgotten INTEGER NOT NULL DEFAULT 0;

  -- 1 for what the city wants to have first.
  ALTER TABLE outbox ADD COLUMN asked_for INTEGER NOT NULL DEFAULT 0;
  `,
  `
  -- What is next is found without going through the whole outbox, however long it has become.
  CREATE INDEX outbox_in_order ON outbox (asked_for DESC, sequence) WHERE coalesce(due_at <= last_attempt_at, true);
  CREATE INDEX outbox_set_aside ON outbox (due_at) WHERE due_at > last_attempt_at;
  `,
  `
  -- No command that was taken was issued later. A box takes none that is more than five minutes ahead of it.
  ALTER TABLE meta ADD COLUMN commands_until INTEGER NOT NULL DEFAULT 0;
  UPDATE meta SET commands_until = coalesce(
    (SELECT max(at) + 300000 FROM audit WHERE kind IN ('command-executed', 'command-refused')), 0);
  -- Commands that were issued until then and that are not remembered may have been taken all the same.
  ALTER TABLE meta ADD COLUMN commands_lost_until INTEGER NOT NULL DEFAULT 0;
  -- 1 where only a clock that is believed can say until when.
  ALTER TABLE meta ADD COLUMN commands_lost INTEGER NOT NULL DEFAULT 0;
  -- What a command came to whose answer was lost with a damaged store, as JSON: it is signed anew when it is asked for.
  ALTER TABLE command ADD COLUMN outcome TEXT;
  `,
  `
  -- From here on chunks and manifests lie in files beside the database: these tables hold those of earlier versions until a purge has
  -- moved them, and beside them the spares.
  `,
]

/** The version of a store that this program has written. */
export const VERSION_NOW = MIGRATIONS.length

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
