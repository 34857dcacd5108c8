import { type EndorsementShelf, MAX_ENDORSEMENTS } from '../endorsed-keys.ts'
import type { Database, Sql } from './database.ts'
import { lock } from './locks.ts'

/** Keeps endorsements in the database that the receivers share: a key that one accepted, all know. */
export function postgresEndorsements({ transaction }: Database): EndorsementShelf {
  return {
    of: (device) => transaction((sql) => envelopesOf(sql, device)),
    change: (device, decide) =>
      transaction(async (sql) => {
        await lock(sql, 'endorsements', device)
        const added = decide(await envelopesOf(sql, device))
        if (!added) return false
        await sql(
          `INSERT INTO endorsements (device, key_id, envelope) VALUES ($1, $2, $3)
           ON CONFLICT (device, key_id) DO UPDATE SET envelope = excluded.envelope, taken_at = excluded.taken_at`,
          [device, added.keyId, added.envelope],
        )
        return true
      }),
  }
}

async function envelopesOf(sql: Sql, device: string): Promise<Buffer[]> {
  const { rows } = await sql(
    'SELECT envelope FROM endorsements WHERE device = $1 ORDER BY taken_at LIMIT $2',
    [device, 2 * MAX_ENDORSEMENTS],
  )
  return rows.map(({ envelope }) => envelope as Buffer)
}
