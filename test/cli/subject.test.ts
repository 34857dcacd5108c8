import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadConfig } from '../../src/config/load.ts'
import { loadPublicKey } from '../../src/sealing/keys.ts'
import { verifyPurgeCertificate } from '../../src/sealing/purge-certificate.ts'
import { openStore } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { boxSettings, brokerlessTrial, writeBox } from '../support/box.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'
import { receiptFor, sealedFixture } from '../store/store.fixture.ts'
import { type Ended, roadveil, startRoadveil } from './roadveil.ts'

const names = { site: 'main-street', device: 'box-1' }
const HOUR = 3_600_000
const LEGAL_BASIS = 'Article 6 (1) (e) GDPR with section 4 of the traffic act'
/** Each export is a row of the audit log, and has a time of its own. */
const LATER = { exportedAt: null, audit: null }

/** A running box with one evidence that waits, and one that was deleted, both from two hours ago. */
async function setUpBox(t: { teardown(act: () => Promise<void>): void }) {
  const folder = await shortFolder(t)
  const trial = await brokerlessTrial(folder, names)
  const settings = boxSettings(trial, names)
  writeBox(trial, names)
  writeFileSync(
    trial.box.config,
    JSON.stringify({ ...settings, site: { ...settings.site, legalBasis: LEGAL_BASIS } }),
  )
  const config = await loadConfig(trial.box.config)
  const [waiting, deleted] = [sealedFixture(), sealedFixture()]
  const at = Date.now() - 2 * HOUR
  {
    const { file, maxSizeMiB } = config.store
    const { database: key } = loadStoreKeys(config, {})
    using store = openStore({ file, key, maxSizeMiB, deviceId: names.device })
    const about = { camera: 'north', ruleId: 'bus-stop', judgedAt: at, at }
    for (const sealed of [waiting, deleted]) store.evidence.commit(sealed, about)
    store.outbox.settle(receiptFor(deleted), at + 1000)
  }
  const vault = startRoadveil(['vault', '--config', trial.box.config])
  t.teardown(async () => void vault.kill('SIGKILL'))
  await until('vault is up', () => existsSync(join(config.runtimeDirectory, 'control.sock')))
  const span = `${new Date(at).toISOString()}/${new Date(at + 1).toISOString()}`
  const run = (...args: string[]): Promise<Ended> => roadveil([...args, '--config', trial.box.config])
  return { folder, trial, waiting, deleted, span, run }
}

await t.test('a hold by case, a subject request and its certificate, as people do them', async (t) => {
  const { folder, trial, waiting, deleted, span, run } = await setUpBox(t)
  const criteria = ['--camera', 'north', '--time-span', span]
  t.match(await run('evidence', 'hold', '--case', '7/26', ...criteria, '--reason', 'court order'), {
    code: 0,
    stdout: 'on hold for case 7/26: 1 evidence now, and what fits later\n',
  })
  t.match(await run('evidence', 'holds'), { code: 0, stdout: /7\/26 .* camera north, .*court order/ })
  t.match(await run('evidence', 'list'), { code: 0, stdout: /outbox.*, on hold/ })

  const copy = await run('subject', 'export', '--time-span', span)
  t.equal(copy.code, 0)
  t.same(
    {
      ...(JSON.parse((await run('subject', 'export', '--time-span', span, '--json')).stdout) as object),
      ...LATER,
    },
    { ...(JSON.parse(copy.stdout) as object), ...LATER },
    'with --json it says the same',
  )
  t.match(JSON.parse(copy.stdout), {
    schema: 'roadveil.subject-export.v1',
    ...names,
    basis: LEGAL_BASIS,
    evidence: [
      {
        evidenceId: waiting.evidenceId,
        rule: 'bus-stop',
        cityConfirmedAt: null,
        ends: 'when the city has confirmed that it stored it and its legal holds are released',
      },
    ],
    tombstones: [{ evidenceId: deleted.evidenceId, why: 'the city confirmed that it stored it' }],
    audit: [{ kind: 'evidence-committed' }, { kind: 'evidence-committed' }],
  })

  const erased = await run('subject', 'erase', '--time-span', span, '--camera', 'north')
  t.equal(erased.code, 0)
  t.match(erased.stdout.split('\n'), [
    'erased: 0 evidence, 1 tombstone',
    `kept: ${waiting.evidenceId}: a legal hold is on it`,
    /^kept: \d+ rows of the audit log/,
  ])
  t.match(await run('evidence', 'release', '--case', '7/26', '--reason', 'closed'), {
    code: 0,
    stdout: 'released: 1 hold of case 7/26\n',
  })

  const out = join(folder, 'certificates')
  const listed = await run('purge', 'certificates', '--out', out)
  t.match(listed, { code: 0, stdout: /purge +1 evidence[^]*subject-request +1 tombstones/ })
  const { id, publicKey } = loadPublicKey(join(trial.city.directory, 'devices', `${names.device}.pem`))
  const certificates = readdirSync(out).map((name) =>
    verifyPurgeCertificate(readFileSync(join(out, name)), {
      deviceId: names.device,
      deviceKeys: new Map([[id, publicKey]]),
    }),
  )
  t.match(certificates, [
    { ...names, occasion: 'purge', policy: { tombstoneDays: 365, certificateDays: 1095 } },
    { occasion: 'subject-request', deletions: [{ kind: 'tombstones', count: 1 }] },
  ])
  t.match(await run('audit', 'verify'), { code: 0 })
})
