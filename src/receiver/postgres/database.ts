import { Pool, type PoolClient } from 'pg'
import { RoadveilError } from '../../errors.ts'
import { loadSecret, type SecretSource } from '../../sealing/secret.ts'
import { migrate } from './schema.ts'

/** What one statement gives. */
export interface Rows {
  readonly rows: readonly Readonly<Record<string, unknown>>[]
  readonly rowCount: number
}

/** Runs a statement of one transaction; values stand for `$1` and so on. */
export type Sql = (text: string, values?: readonly unknown[]) => Promise<Rows>

/** The database that the receivers of a city share. */
export interface Database extends AsyncDisposable {
  /**
   * Runs `work` in a transaction, which is rolled back when `work` throws. A commit whose answer is lost counts as failed here; the
   * rows may be there all the same, so whatever comes again must find them.
   *
   * @throws RoadveilError what `work` throws, ERR_DATABASE_UNREACHABLE, ERR_DATABASE_REFUSED, ERR_DATABASE_FAILED.
   */
  readonly transaction: <T>(work: (sql: Sql) => Promise<T>) => Promise<T>
}

/** One for the work at hand, one for keys that it needs meanwhile, one to spare. */
const MAX_CONNECTIONS = 3
const CONNECT_MS = 10_000
/** Beyond this a server that does not answer is given up. */
const QUERY_MS = 60_000

/**
 * For every connection: acceptance is on the disk before a receipt is signed; a receiver whose machine has vanished, or whose image
 * store hangs, loses its locks before long, so that another one takes over.
 */
const SETTINGS = {
  search_path: 'roadveil',
  synchronous_commit: 'on',
  lock_timeout: '30s',
  statement_timeout: '45s',
  idle_in_transaction_session_timeout: '5min',
  tcp_keepalives_idle: '10',
  tcp_keepalives_interval: '5',
  tcp_keepalives_count: '3',
}

/**
 * Connects to the database that a file names, and makes or updates the tables there.
 *
 * @throws RoadveilError ERR_SECRET_FILE, ERR_DATABASE_URL, ERR_DATABASE_VERSION, and what `transaction` throws.
 */
export async function openDatabase(source: SecretSource): Promise<Database> {
  const connectionString = readUrl(source)
  const pool = new Pool({
    connectionString,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    keepAlive: true,
    application_name: 'roadveil receiver',
    options: Object.entries(SETTINGS)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  })
  // An idle connection that breaks is made again when it is needed; one in use says so at its next statement.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))

  const transaction: Database['transaction'] = async (work) => {
    const client = await connected(pool)
    let broken = false
    try {
      const sql: Sql = async (text, values = []) => {
        const asked = client.query<Record<string, unknown>>(text, [...values])
        const { rows, rowCount } = await asked.catch((error: unknown) => {
          throw databaseError(error)
        })
        return { rows, rowCount: rowCount ?? 0 }
      }
      await sql('BEGIN')
      const result = await work(sql)
      await sql('COMMIT')
      return result
    } catch (error) {
      broken = !(await rolledBack(client))
      throw error
    } finally {
      // The server rolls back what a connection leaves open.
      client.release(broken)
    }
  }

  const database: Database = { transaction, [Symbol.asyncDispose]: () => pool.end() }
  try {
    await migrate(database)
  } catch (error) {
    await pool.end()
    throw error
  }
  return database
}

/** A connection string that shows nothing to those between: to another machine only with a server that proves its name. */
function readUrl(source: SecretSource): string {
  const text = loadSecret(source).toString('utf8').trim()
  const wrong = (why: string): RoadveilError => new RoadveilError('ERR_DATABASE_URL', `${source.file} ${why}`)
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw wrong('holds no URL')
  }
  if (!/^postgres(ql)?:$/.test(url.protocol)) throw wrong('holds no postgres:// URL')
  const host = url.searchParams.get('host') ?? url.hostname
  const isHere = host === '' || host.startsWith('/') || LOOPBACK.has(host)
  if (!isHere && url.searchParams.get('sslmode') !== 'verify-full') {
    throw wrong(`names the host ${host} without sslmode=verify-full`)
  }
  return text
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '::1', '[::1]'])

async function connected(pool: Pool): Promise<PoolClient> {
  try {
    return await pool.connect()
  } catch (error) {
    throw databaseError(error)
  }
}

async function rolledBack(client: PoolClient): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  )
}

/** An error of the database in our words: its SQLSTATE or Node's code, never its text, which may quote values. */
function databaseError(cause: unknown): RoadveilError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'no answer'
  // Class 28: who we are; 3D: no such database; 42501: no right to do it (PostgreSQL, appendix A).
  if (/^28|^3D|^42501$/.test(code)) {
    return new RoadveilError('ERR_DATABASE_REFUSED', `the database refused the receiver (${code})`, { cause })
  }
  // Class 08: connection; 57P: shut down or starting; 53300: too many connections; E…: Node's. The driver gives none where a
  // connection ended or the time to answer did.
  if (/^08|^57P|^53300$|^E[A-Z_]+$|^no answer$/.test(code)) {
    return new RoadveilError('ERR_DATABASE_UNREACHABLE', `the database cannot be reached (${code})`, {
      cause,
    })
  }
  return new RoadveilError('ERR_DATABASE_FAILED', `the database did not do what it was asked (${code})`, {
    cause,
  })
}
