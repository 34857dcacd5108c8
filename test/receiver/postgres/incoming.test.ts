import t from 'tap'
import { DEFAULT_INCOMING_LIMITS, type Incoming, type KeptEvidence } from '../../../src/receiver/incoming.ts'
import { type Database, openDatabase } from '../../../src/receiver/postgres/database.ts'
import { createPostgresIncoming } from '../../../src/receiver/postgres/incoming.ts'
import type { Storage } from '../../../src/receiver/storage.ts'
import { createCityIdentity } from '../../../src/sealing/identity.ts'
import { type Manifest, verifyManifest } from '../../../src/sealing/manifest.ts'
import { type SealedEvidence, sealEvidence } from '../../../src/sealing/seal.ts'
import { signingKeyFixture, verifyKeysOf } from '../../sealing/keys.fixture.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { postgresIsLacking, startPostgres, type TestPostgres } from '../../support/postgres.ts'
import { writeSecret } from './secret.ts'

const skip = (await postgresIsLacking()) ?? false
const signingKey = signingKeyFixture()
const { recipient } = await createCityIdentity()

interface Announced {
  readonly sealed: SealedEvidence
  readonly manifest: Manifest
}

async function announced(device = 'box-1', evidenceId?: string): Promise<Announced> {
  const evidence = syntheticEvidence({ device, ...(evidenceId !== undefined && { evidenceId }) })
  const recipients = { operational: recipient, recovery: recipient }
  const sealed = await sealEvidence(evidence, { signingKey, recipients, sealedAt: Date.now() })
  const keys = { deviceId: device, deviceKeys: verifyKeysOf(signingKey) }
  return { sealed, manifest: verifyManifest(sealed.manifest, keys) }
}

/** Several receivers over one database, whose storage only counts. */
async function receivers(
  t: { testdir(): string; teardown(act: () => Promise<void>): void },
  { url }: TestPostgres,
  limits = DEFAULT_INCOMING_LIMITS,
) {
  const source = writeSecret(t.testdir(), 'database.url', url)
  const databases: Database[] = [await openDatabase(source), await openDatabase(source)]
  t.teardown(async () => {
    for (const each of databases) await each[Symbol.asyncDispose]()
  })
  const has = new Set<string>()
  const storage: Storage = {
    has: async ({ evidenceId }) => has.has(evidenceId),
    store: async () => 'nowhere',
  }
  const [one, two] = databases.map((database, index) =>
    createPostgresIncoming(database, { storage, limits, receiver: `receiver-${index}` }),
  ) as [Incoming, Incoming]
  return { one, two, has }
}

function told({ manifest: { site, device, evidenceId, ciphertextSha256, judgedAt, camera } }: Announced) {
  const told: KeptEvidence = {
    ...{ site, device, evidenceId, ciphertextSha256, judgedAt, camera },
    ...{ rule: 'no-stopping-1', mode: 'live', bytes: 5, location: 'nowhere' },
  }
  return told
}

await t.test('PostgreSQL puts together what several receivers get', { skip }, async (t) => {
  await using postgres = await startPostgres()

  await t.test('chunks that come to two receivers at once are whole to exactly one', async (t) => {
    const { one, two } = await receivers(t, postgres)
    for (let round = 0; round < 10; round++) {
      const evidence = await announced()
      const { manifest, sealed } = evidence
      await one.begin(manifest, sealed.manifest)
      let accepted = 0
      const take = async (incoming: Incoming, index: number) => {
        const assembly = await incoming.add(manifest, index, sealed.chunks[index] ?? Buffer.of())
        if (assembly.missing.length > 0) return undefined
        return incoming.complete(assembly, async ({ ciphertext }) => {
          accepted += 1
          t.strictSame(ciphertext, Buffer.concat(sealed.chunks))
          return told(evidence)
        })
      }
      const ends = await Promise.allSettled([take(one, 0), take(two, 1), take(two, 0), take(one, 1)])
      const stored = ends.filter((end) => end.status === 'fulfilled' && end.value?.status === 'stored')
      t.strictSame([accepted, stored.length], [1, 1])
    }
  })

  await t.test('what was accepted is a duplicate to all, and other bytes are a conflict', async (t) => {
    const { one, two, has } = await receivers(t, postgres)
    const evidence = await announced()
    const { manifest, sealed } = evidence
    const bring = async (incoming: Incoming) => {
      await incoming.begin(manifest, sealed.manifest)
      for (const [index, chunk] of sealed.chunks.entries()) await incoming.add(manifest, index, chunk)
      return incoming.complete({ manifest, envelope: sealed.manifest, missing: [] }, async () =>
        told(evidence),
      )
    }
    t.match(await bring(one), { status: 'stored' })
    has.add(manifest.evidenceId)
    t.equal(await two.begin(manifest, sealed.manifest), 'accepted')
    const other = await announced('box-1', manifest.evidenceId)
    await t.rejects(two.begin(other.manifest, other.sealed.manifest), { code: 'ERR_EVIDENCE_CONFLICT' })
    has.clear()
    t.match(
      await bring(two),
      { status: 'duplicate' },
      'lost pictures are taken again, and not accepted again',
    )
  })

  await t.test('an evidence whose acceptance failed is still there for the next', async (t) => {
    const { one, two } = await receivers(t, postgres)
    const evidence = await announced()
    const { manifest, sealed } = evidence
    await one.begin(manifest, sealed.manifest)
    for (const [index, chunk] of sealed.chunks.entries()) await one.add(manifest, index, chunk)
    const whole = { manifest, envelope: sealed.manifest, missing: [] }
    await t.rejects(
      one.complete(whole, async () => {
        throw new Error('no space')
      }),
    )
    t.match(await two.complete(whole, async () => told(evidence)), { status: 'stored' })
    t.equal(await one.complete(whole, async () => told(evidence)), undefined)
  })

  await t.test('what is silent is named to one receiver, and again only after it was heard', async (t) => {
    const { one, two } = await receivers(t, postgres)
    const { manifest, sealed } = await announced()
    await one.begin(manifest, sealed.manifest)
    t.strictSame(await one.silent(60_000), [])
    const found = await Promise.all([one.silent(0), two.silent(0)])
    t.match(found.flat(), [{ missing: [0, 1] }])
    t.equal(found.flat().length, 1)
    t.strictSame(await two.silent(0), [])
    const many = await Promise.all(Array.from({ length: 8 }, () => announced('box-2')))
    for (const each of many) await one.begin(each.manifest, each.sealed.manifest)
    const races = await Promise.all([one.silent(0), two.silent(0), one.silent(0), two.silent(0)])
    t.equal(races.flat().length, many.length)
    await t.rejects(two.add(manifest, 0, Buffer.from('other')), { code: 'ERR_CHUNK_CHANGED' })
    t.equal((await one.silent(0)).length, 1)
    await two.add(manifest, 0, sealed.chunks[0] ?? Buffer.of())
    t.match(await two.silent(0), [{ missing: [1] }])
  })

  await t.test('who was not told of is named to one receiver, until somebody is told', async (t) => {
    const { one, two } = await receivers(t, postgres)
    await Promise.all((await one.untold(0)).map((each) => one.told(each)))
    const evidence = await announced()
    const { manifest, sealed } = evidence
    await one.begin(manifest, sealed.manifest)
    for (const [index, chunk] of sealed.chunks.entries()) await one.add(manifest, index, chunk)
    await one.complete({ manifest, envelope: sealed.manifest, missing: [] }, async () => told(evidence))
    t.strictSame(await two.untold(60_000), [])
    const found = await Promise.all([one.untold(0), two.untold(1000)])
    t.match(found.flat(), [told(evidence)])
    t.equal(found.flat().length, 1)
    for (const each of found.flat()) await two.told(each)
    t.strictSame(await one.untold(0), [])
  })

  await t.test(
    'a device that announces without end keeps no more than its share, with all receivers',
    async (t) => {
      const { one, two } = await receivers(t, postgres, { ...DEFAULT_INCOMING_LIMITS, maxPerDevice: 2 })
      const all = await Promise.all([1, 2, 3, 4].map(async () => announced('box-9')))
      await Promise.all(
        all.map(async ({ manifest, sealed }, i) => (i % 2 ? one : two).begin(manifest, sealed.manifest)),
      )
      const goesOn = await Promise.allSettled(
        all.map(async ({ manifest, sealed }) => one.add(manifest, 0, sealed.chunks[0] ?? Buffer.of())),
      )
      t.equal(goesOn.filter(({ status }) => status === 'fulfilled').length, 2)
      for (const end of goesOn)
        if (end.status === 'rejected') t.match(end.reason, { code: 'ERR_CHUNK_UNEXPECTED' })
    },
  )

  await t.test('parts that a crash of the server has lost are asked for again', async (t) => {
    const { one } = await receivers(t, postgres)
    const { manifest, sealed } = await announced('box-7')
    await one.begin(manifest, sealed.manifest)
    await one.add(manifest, 0, sealed.chunks[0] ?? Buffer.of())
    await postgres.kill()
    await t.rejects(one.begin(manifest, sealed.manifest), { code: 'ERR_DATABASE_UNREACHABLE' })
    await postgres.restart()
    t.match(await one.begin(manifest, sealed.manifest), { missing: [0, 1] })
  })
})
