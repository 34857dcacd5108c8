import { chmodSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { openDatabase } from '../../../src/receiver/postgres/database.ts'
import { postgresIsLacking, startPostgres } from '../../support/postgres.ts'
import { writeSecret } from './secret.ts'

const skip = (await postgresIsLacking()) ?? false

await t.test('a file that names no safe way to a database is refused before anything is sent', async (t) => {
  const folder = t.testdir()
  const wrong = [
    'not a url',
    'mysql://city@localhost/city',
    'postgres://city:pw@db.example/city',
    'postgres://city:pw@db.example/city?sslmode=require',
    'postgres://city:pw@localhost/city?host=db.example',
  ]
  for (const url of wrong) {
    const error: unknown = await openDatabase(writeSecret(folder, 'url', url)).catch(
      (error: unknown) => error,
    )
    t.match(error, { code: 'ERR_DATABASE_URL', exitCode: 3 }, url)
    t.notMatch((error as Error).message, /pw/)
  }
  const open = writeSecret(folder, 'url', 'postgres://city@localhost/city')
  chmodSync(open.file, 0o644)
  await t.rejects(openDatabase(open), { code: 'ERR_SECRET_FILE' })
  await t.rejects(openDatabase(writeSecret(folder, 'url', 'postgres://city@127.0.0.1:1/city')), {
    code: 'ERR_DATABASE_UNREACHABLE',
  })
})

await t.test(
  'a database that refuses, or is of a newer release, is said so at the start',
  { skip },
  async (t) => {
    await using postgres = await startPostgres()
    const folder = t.testdir()
    const open = (url: string) => openDatabase(writeSecret(folder, 'url', url))
    for (const url of [
      postgres.url.replace(/the%20[^@]+/, 'another'),
      postgres.url.replace(/postgres$/, 'nowhere'),
    ]) {
      await t.rejects(open(url), { code: 'ERR_DATABASE_REFUSED' })
    }
    await postgres.query(`CREATE ROLE clerk LOGIN PASSWORD 'clerk'`)
    await t.rejects(open(postgres.url.replace(/city:[^@]+/, 'clerk:clerk')), { code: 'ERR_DATABASE_REFUSED' })

    const first = await Promise.all(Array.from({ length: 4 }, () => open(postgres.url)))
    for (const each of first) await each[Symbol.asyncDispose]()
    t.match(await postgres.query('SELECT version FROM roadveil.schema_version'), [{ version: 1 }])
    await using again = await open(postgres.url)
    t.ok(again, 'tables that are there are taken as they are')

    await postgres.query('UPDATE roadveil.schema_version SET version = 99')
    await t.rejects(open(postgres.url), { code: 'ERR_DATABASE_VERSION' })
  },
)

await t.test('what a transaction did is there as a whole or not at all', { skip }, async (t) => {
  await using postgres = await startPostgres()
  await using database = await openDatabase(writeSecret(t.testdir(), 'url', postgres.url))
  const insert = `INSERT INTO endorsements (device, key_id, envelope) VALUES ($1, $2, $3)`
  await t.rejects(
    database.transaction(async (sql) => {
      await sql(insert, ['box-1', 'a', Buffer.of(1)])
      await sql(insert, ['box-1', 'a', Buffer.of(2)])
    }),
    { code: 'ERR_DATABASE_FAILED', message: /23505/ },
  )
  await database.transaction((sql) => sql(insert, ['box-1', 'b', Buffer.of(3)]))
  t.match(await postgres.query('SELECT key_id FROM roadveil.endorsements'), [{ key_id: 'b' }])
})

await t.test(
  'a server that goes in the middle of a transaction is said so, and found again',
  { skip },
  async (t) => {
    await using postgres = await startPostgres()
    await using database = await openDatabase(writeSecret(t.testdir(), 'url', postgres.url))
    await t.rejects(
      database.transaction(async (sql) => {
        await postgres.kill()
        // The connection's end arrives while nothing is asked of it.
        await setTimeout(100)
        await sql('SELECT 1')
      }),
      { code: 'ERR_DATABASE_UNREACHABLE' },
    )
    await postgres.restart()
    t.match(await database.transaction((sql) => sql('SELECT 1 AS one')), { rows: [{ one: 1 }] })
  },
)
