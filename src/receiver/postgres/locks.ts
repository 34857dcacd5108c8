import type { Sql } from './database.ts'

/** Waits until nobody else works on this; let go with the transaction. Two names that share a lock by chance only wait. */
export async function lock(sql: Sql, ...name: readonly string[]): Promise<void> {
  await sql('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [keyOf(name)])
}

/** Takes the lock, where nobody has it. */
export async function tryLock(sql: Sql, ...name: readonly string[]): Promise<boolean> {
  const { rows } = await sql('SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS is_ours', [
    keyOf(name),
  ])
  return rows[0]?.['is_ours'] === true
}

function keyOf(name: readonly string[]): string {
  return ['roadveil', ...name].join('/')
}
