import { isRoadveilError, RoadveilError } from '../../errors.ts'
import { type Manifest, manifestSchema } from '../../sealing/manifest.ts'
import {
  type Assembly,
  checkChunk,
  type Completion,
  type Incoming,
  type IncomingLimits,
  type KeptEvidence,
  makeRoom,
  type StoredEvidence,
} from '../incoming.ts'
import type { Storage } from '../storage.ts'
import type { Database, Sql } from './database.ts'
import { lock, tryLock } from './locks.ts'

/**
 * What comes in to several receivers that share a database.
 *
 * With a shared subscription the broker gives each message to one receiver, so the chunks of one evidence come to all of them: they
 * meet in the database, and not in one receiver's memory. Everything that is done about one evidence is done under one lock of that
 * evidence, for the length of a transaction: beginning, adding a chunk, and accepting. So the receiver that adds the last chunk sees
 * that it is the last; nobody else opens or stores it meanwhile; and the row of `evidence`, of which there can be one for a device and
 * evidence id, is made in the transaction that forgets the parts. A receiver that dies lets go of its lock with its connection, and
 * nothing has happened: what it wrote of pictures is written again, the same bytes in the same place. Another one finds the parts
 * silent and whole, or hears the box, which announces again what it has no receipt for.
 *
 * An answer is sent after the commit. So `stored` is said once at most; who asks again hears `duplicate`.
 *
 * The times are the database's, so that the receivers' clocks need not agree.
 */
export function createPostgresIncoming(
  { transaction }: Database,
  deps: { readonly storage: Storage; readonly limits: IncomingLimits; readonly receiver: string },
): Incoming {
  const { storage, limits, receiver } = deps
  return {
    // Whoever is there looks after what is silent.
    leftovers: async () => [],

    begin: (manifest, envelope) =>
      transaction(async (sql) => {
        const { device, evidenceId, ciphertextSha256 } = manifest
        await lockEvidence(sql, manifest)
        const accepted = await sql(
          'SELECT ciphertext_sha256 FROM evidence WHERE device = $1 AND evidence_id = $2',
          [device, evidenceId],
        )
        const sha256 = accepted.rows[0]?.['ciphertext_sha256']
        if (sha256 !== undefined && sha256 !== ciphertextSha256) {
          throw new RoadveilError('ERR_EVIDENCE_CONFLICT', `${evidenceId} was accepted with other bytes`)
        }
        // What was accepted and is lost is taken again, without being accepted a second time. What is there and was not accepted
        // was written by a receiver that was killed.
        if ((await storage.has(manifest)) && sha256 !== undefined) return 'accepted'
        const before = await assemblyOf(sql, manifest)
        if (before?.manifest.ciphertextSha256 === ciphertextSha256) {
          await touch(sql, manifest)
          return before
        }
        // Before any row is held: whoever makes room may delete this one.
        await lock(sql, 'room')
        await forget(sql, manifest)
        for (const old of makeRoom(await occupants(sql), manifest, limits)) await forget(sql, old)
        await sql(
          'INSERT INTO assemblies (device, evidence_id, manifest, envelope, bytes) VALUES ($1, $2, $3, $4, $5)',
          [device, evidenceId, JSON.stringify(manifest), envelope, manifest.ciphertextBytes],
        )
        return { manifest, envelope, missing: [...manifest.chunks.keys()] }
      }),

    async add(of, index, bytes) {
      const { assembly, refusal } = await transaction(async (sql) => {
        await lockEvidence(sql, of)
        const before = await assemblyOf(sql, of)
        if (before?.manifest.site !== of.site) {
          throw new RoadveilError('ERR_CHUNK_UNEXPECTED', 'a chunk came of evidence that was not announced')
        }
        // A chunk that was changed on its way breaks the silence, too.
        await touch(sql, of)
        try {
          checkChunk(before.manifest, index, bytes)
        } catch (error) {
          if (!isRoadveilError(error)) throw error
          return { assembly: before, refusal: error }
        }
        await sql(
          'INSERT INTO chunks (device, evidence_id, index, bytes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING',
          [of.device, of.evidenceId, index, bytes],
        )
        return { assembly: { ...before, missing: before.missing.filter((each) => each !== index) } }
      })
      if (refusal) throw refusal
      return assembly
    },

    complete: ({ manifest: { device, evidenceId } }, accept) =>
      transaction(async (sql) => {
        const name = { device, evidenceId }
        await lockEvidence(sql, name)
        const assembly = await assemblyOf(sql, name)
        // Another receiver was faster.
        if (!assembly || assembly.missing.length > 0) return undefined
        const { manifest, envelope } = assembly
        const evidence = await accept({ manifest, envelope, ciphertext: await ciphertextOf(sql, name) })
        await forget(sql, name)
        return evidence && record(sql, evidence, receiver)
      }),

    async silent(forMs) {
      const { rows } = await transaction((sql) => sql(`${SILENT} LIMIT 100`, [forMs]))
      const found: Assembly[] = []
      for (const row of rows) {
        const name = { device: String(row['device']), evidenceId: String(row['evidence_id']) }
        const assembly = await transaction(async (sql) => {
          // Who has the lock is at it.
          if (!(await tryLock(sql, ...evidenceLock(name)))) return undefined
          const claimed = await sql(
            `UPDATE assemblies SET asked = true WHERE (device, evidence_id) IN (${SILENT} AND device = $2 AND evidence_id = $3)`,
            [forMs, name.device, name.evidenceId],
          )
          return claimed.rowCount === 1 ? assemblyOf(sql, name) : undefined
        })
        if (assembly) found.push(assembly)
      }
      return found
    },

    async told({ device, evidenceId }) {
      await transaction((sql) =>
        sql('UPDATE evidence SET told_at = clock_timestamp() WHERE device = $1 AND evidence_id = $2', [
          device,
          evidenceId,
        ]),
      )
    },

    async untold(forMs) {
      const { rows } = await transaction((sql) => sql(UNTOLD, [forMs]))
      return rows.map(storedEvidence)
    },
  }
}

type Name = Pick<Manifest, 'device' | 'evidenceId'>

const SILENT = `SELECT device, evidence_id FROM assemblies
  WHERE NOT asked AND touched_at <= clock_timestamp() - $1 * interval '1 millisecond'`

/** Claimed for a while: whoever claims and dies leaves it to the next. */
const UNTOLD = `UPDATE evidence SET telling_at = clock_timestamp()
  WHERE (device, evidence_id) IN (
    SELECT device, evidence_id FROM evidence
    WHERE told_at IS NULL AND telling_at <= clock_timestamp() - $1 * interval '1 millisecond'
    ORDER BY telling_at LIMIT 100 FOR UPDATE SKIP LOCKED
  ) RETURNING *`

function evidenceLock({ device, evidenceId }: Name): readonly string[] {
  return ['evidence', device, evidenceId]
}

async function lockEvidence(sql: Sql, name: Name): Promise<void> {
  await lock(sql, ...evidenceLock(name))
}

async function assemblyOf(sql: Sql, { device, evidenceId }: Name): Promise<Assembly | undefined> {
  const { rows } = await sql(
    'SELECT manifest, envelope FROM assemblies WHERE device = $1 AND evidence_id = $2',
    [device, evidenceId],
  )
  const [row] = rows
  if (!row) return undefined
  const manifest = manifestSchema.parse(row['manifest'])
  const chunks = await sql('SELECT index FROM chunks WHERE device = $1 AND evidence_id = $2', [
    device,
    evidenceId,
  ])
  const have = new Set(chunks.rows.map(({ index }) => Number(index)))
  const missing = [...manifest.chunks.keys()].filter((index) => !have.has(index))
  return { manifest, envelope: row['envelope'] as Buffer, missing }
}

async function ciphertextOf(sql: Sql, { device, evidenceId }: Name): Promise<Buffer> {
  const { rows } = await sql(
    'SELECT bytes FROM chunks WHERE device = $1 AND evidence_id = $2 ORDER BY index',
    [device, evidenceId],
  )
  return Buffer.concat(rows.map(({ bytes }) => bytes as Buffer))
}

async function touch(sql: Sql, { device, evidenceId }: Name): Promise<void> {
  await sql(
    'UPDATE assemblies SET touched_at = clock_timestamp(), asked = false WHERE device = $1 AND evidence_id = $2',
    [device, evidenceId],
  )
}

async function forget(sql: Sql, { device, evidenceId }: Name): Promise<void> {
  await sql('DELETE FROM assemblies WHERE device = $1 AND evidence_id = $2', [device, evidenceId])
}

async function occupants(sql: Sql) {
  const { rows } = await sql(
    'SELECT device, evidence_id, bytes, extract(epoch FROM clock_timestamp() - touched_at) * 1000 AS idle_ms FROM assemblies',
  )
  return rows.map((row) => ({
    device: String(row['device']),
    evidenceId: String(row['evidence_id']),
    bytes: Number(row['bytes']),
    idleMs: Number(row['idle_ms']),
  }))
}

/** Makes the one row that says that the city has it; it may be there already. */
async function record(sql: Sql, evidence: KeptEvidence, receiver: string): Promise<Completion> {
  const { device, evidenceId, site, camera, rule, mode, judgedAt, ciphertextSha256, bytes, location } =
    evidence
  const { rows } = await sql(
    `INSERT INTO evidence (device, evidence_id, site, camera, rule, mode, judged_at, ciphertext_sha256, bytes, location, accepted_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING *`,
    [device, evidenceId, site, camera, rule, mode, judgedAt, ciphertextSha256, bytes, location, receiver],
  )
  const [row] = rows
  return row ? { status: 'stored', evidence: storedEvidence(row) } : { status: 'duplicate' }
}

function storedEvidence(row: Readonly<Record<string, unknown>>): StoredEvidence {
  const text = (name: string): string => String(row[name])
  return {
    site: text('site'),
    device: text('device'),
    evidenceId: text('evidence_id'),
    camera: text('camera'),
    rule: text('rule'),
    mode: text('mode') === 'live' ? 'live' : 'warning',
    judgedAt: (row['judged_at'] as Date).toISOString(),
    bytes: Number(row['bytes']),
    ciphertextSha256: text('ciphertext_sha256'),
    location: text('location'),
    acceptedAt: (row['accepted_at'] as Date).toISOString(),
  }
}
