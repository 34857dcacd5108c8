import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from '../../scripts/demo/free-port.ts'
import { passwordFor, tellHandled } from './handled.ts'
import { processTree } from './traces.ts'
import { until } from './until.ts'

/** A real PostgreSQL server on loopback, for one test. */
export interface TestPostgres extends AsyncDisposable {
  /** postgres://… of a fresh database, for a user who may create a schema there. */
  readonly url: string
  /** Asks the database itself. */
  query(text: string): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** SIGKILL, as a power cut would do it. */
  kill(): Promise<void>
  /** Starts it again on the same port. */
  restart(): Promise<void>
}

// With a space: it has to be encoded in an address.
const PASSWORD = `the ${passwordFor('the database')}`
const BINARIES = '/usr/lib/postgresql'
const run = promisify(execFile)

/** Why this machine has no PostgreSQL to test with; undefined where it has one. */
export async function postgresIsLacking(): Promise<string | undefined> {
  return (await binaries()) === undefined
    ? 'PostgreSQL is not installed (Debian: postgresql), scripts/setup.sh --tests installs it'
    : undefined
}

/** Starts a server in a folder of its own. PostgreSQL refuses to run as root, so root becomes nobody for it. */
export async function startPostgres(): Promise<TestPostgres> {
  const programs = await binaries()
  if (programs === undefined) throw new Error(await postgresIsLacking())
  const folder = await mkdtemp(join(tmpdir(), 'rv-pg-'))
  const [data, passwordFile] = [join(folder, 'data'), join(folder, 'password')]
  await writeFile(passwordFile, PASSWORD, { mode: 0o600 })
  const isRoot = process.getuid?.() === 0
  if (isRoot) for (const path of [folder, passwordFile]) await chown(path, NOBODY, NOBODY)
  const asUser = isRoot ? ['--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'] : []
  const initdb = [join(programs, 'initdb'), '-D', data, '-U', 'city', '-A', 'scram-sha-256']
  await run('setpriv', [
    ...asUser,
    ...initdb,
    '--pwfile',
    passwordFile,
    '--no-sync',
    '-E',
    'UTF8',
    '--locale',
    'C',
  ])

  const port = await freePort()
  const url = `postgres://city:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`
  for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)])
    tellHandled({ kind: 'secret', name: 'the password of the database', secret })
  const settings = {
    ...{ listen_addresses: '127.0.0.1', port, unix_socket_directories: '' },
    ...{ shared_buffers: '16MB', max_connections: 60 },
  }
  const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  let server: ChildProcess | undefined
  let log = ''

  const query: TestPostgres['query'] = async (text) => {
    const client = new Client({ connectionString: url })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(text)).rows
    } finally {
      await client.end()
    }
  }
  const start = async (): Promise<void> => {
    const command = ['--pdeathsig', 'KILL', ...asUser, join(programs, 'postgres'), '-D', data, ...options]
    const started = spawn('setpriv', command, { stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' })
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
      tellHandled({ kind: 'text', where: 'the log of the database', text: log.slice(-text.length - 200) })
    })
    server = started
    await until('PostgreSQL answers', async () => {
      if (started.exitCode !== null || started.signalCode !== null)
        throw new Error(`PostgreSQL ended: ${log}`)
      return query('SELECT 1').then(
        () => true,
        () => false,
      )
    })
  }
  const kill = async (): Promise<void> => {
    if (!server || server.exitCode !== null || server.signalCode !== null) return
    const gone = once(server, 'exit')
    // Its sessions are processes of their own, which go on for a moment without it.
    for (const { pid } of processTree(server.pid ?? 0)) killIfThere(pid)
    await gone
  }
  await start()
  return {
    url,
    query,
    kill,
    restart: start,
    async [Symbol.asyncDispose]() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Debian's nobody and nogroup. */
const NOBODY = 65534

async function binaries(): Promise<string | undefined> {
  const versions = await readdir(BINARIES).catch(() => [])
  const latest = versions.filter((name) => /^\d+$/.test(name)).sort((a, b) => Number(b) - Number(a))[0]
  return latest === undefined ? undefined : join(BINARIES, latest, 'bin')
}
