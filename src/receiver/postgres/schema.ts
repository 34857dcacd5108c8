import { RoadveilError } from '../../errors.ts'
import type { Database } from './database.ts'

/**
 * The tables, one step a version, never changed once released.
 *
 * `evidence` is what makes acceptance exact: one row for a device and evidence id, made in the transaction that forgets the parts.
 * Chunks are unlogged: a server that crashes loses them, and the box is asked for them again.
 */
const STEPS: readonly string[] = [
  `CREATE TABLE evidence (
     device text NOT NULL,
     evidence_id uuid NOT NULL,
     site text NOT NULL,
     camera text NOT NULL,
     rule text NOT NULL,
     mode text NOT NULL,
     judged_at timestamptz NOT NULL,
     ciphertext_sha256 text NOT NULL,
     bytes bigint NOT NULL,
     location text NOT NULL,
     accepted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     accepted_by text NOT NULL,
     -- When a receiver set about telling the back office, and when it had done so.
     telling_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     told_at timestamptz,
     PRIMARY KEY (device, evidence_id)
   );
   CREATE INDEX evidence_untold ON evidence (telling_at) WHERE told_at IS NULL;

   CREATE TABLE assemblies (
     device text NOT NULL,
     evidence_id uuid NOT NULL,
     manifest jsonb NOT NULL,
     envelope bytea NOT NULL,
     bytes bigint NOT NULL,
     touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     asked boolean NOT NULL DEFAULT false,
     PRIMARY KEY (device, evidence_id)
   );
   CREATE UNLOGGED TABLE chunks (
     device text NOT NULL,
     evidence_id uuid NOT NULL,
     index integer NOT NULL,
     bytes bytea NOT NULL,
     PRIMARY KEY (device, evidence_id, index),
     FOREIGN KEY (device, evidence_id) REFERENCES assemblies ON DELETE CASCADE
   );
   -- Encrypted bytes cannot be compressed.
   ALTER TABLE chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;

   CREATE TABLE checkpoints (
     device text PRIMARY KEY,
     checkpoint jsonb NOT NULL,
     envelope bytea NOT NULL
   );
   CREATE TABLE alarms (
     device text NOT NULL,
     at timestamptz NOT NULL DEFAULT clock_timestamp(),
     reason jsonb NOT NULL,
     witnessed bytea NOT NULL,
     received bytea NOT NULL
   );
   CREATE INDEX alarms_device ON alarms (device, at);
   CREATE TABLE endorsements (
     device text NOT NULL,
     key_id text NOT NULL,
     envelope bytea NOT NULL,
     taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
     PRIMARY KEY (device, key_id)
   );`,
]

/**
 * Brings the tables up to this version; one receiver does it, the others wait.
 *
 * @throws RoadveilError ERR_DATABASE_VERSION when a newer version made them, and what a transaction throws.
 */
export async function migrate({ transaction }: Database): Promise<void> {
  await transaction(async (sql) => {
    await sql(`SELECT pg_advisory_xact_lock(hashtextextended('roadveil/schema', 0))`)
    const { rows } = await sql(`SELECT to_regclass('roadveil.schema_version') IS NOT NULL AS is_there`)
    if (rows[0]?.['is_there'] !== true) {
      await sql('CREATE SCHEMA IF NOT EXISTS roadveil')
      await sql('CREATE TABLE roadveil.schema_version AS SELECT 0 AS version')
    }
    const version = Number((await sql('SELECT version FROM roadveil.schema_version')).rows[0]?.['version'])
    if (!(version <= STEPS.length)) {
      throw new RoadveilError(
        'ERR_DATABASE_VERSION',
        `the tables have version ${version}, this release knows ${STEPS.length}`,
      )
    }
    for (const step of STEPS.slice(version)) await sql(step)
    await sql('UPDATE roadveil.schema_version SET version = $1', [STEPS.length])
  })
}
