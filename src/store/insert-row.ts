import type { Row } from './carved.ts'
import type { StoreDatabase } from './database.ts'

/** Puts a row of another database into the table of the same name, as far as it has the same columns. */
export type InsertRow = (table: string, row: Row) => void

export function rowInserter(to: StoreDatabase): InsertRow {
  const columns = new Map<string, readonly string[]>()
  return (table, row) => {
    const known =
      columns.get(table) ?? (to.pragma(`table_info(${table})`) as { name: string }[]).map(({ name }) => name)
    columns.set(table, known)
    const names = known.filter((name) => row[name] !== undefined)
    const values = names.map((name) => row[name])
    to.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`).run(
      ...values,
    )
  }
}
