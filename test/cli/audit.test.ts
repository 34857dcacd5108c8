import { copyFileSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadSigningKey } from '../../src/sealing/keys.ts'
import { openDatabase } from '../../src/store/database.ts'
import { openStore } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { loadConfig } from '../../src/config/load.ts'
import { brokerlessTrial, writeBox } from '../support/box.ts'
import { keptLog } from '../support/kept-log.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'
import { type Ended, roadveil, startRoadveil } from './roadveil.ts'

const names = { site: 'main-street', device: 'box-1' }

/** A box whose audit log has 70 rows and two checkpoints, and the first of them as the city has it. */
async function setUpBox(t: { teardown(act: () => Promise<void>): void }) {
  const folder = await shortFolder(t)
  const trial = await brokerlessTrial(folder, names)
  writeBox(trial, names)
  const config = await loadConfig(trial.box.config)
  const { file, maxSizeMiB } = config.store
  const open = () => ({ file, key: loadStoreKeys(config, {}).database, maxSizeMiB })

  const record = (count: number): void => {
    using store = openStore({ ...open(), deviceId: names.device })
    for (let i = 0; i < count; i++) store.audit.record('vault-started', {}, Date.now())
    const signingKey = loadSigningKey({ name: 'none', file: trial.box.signingKey, env: {} })
    const logger = keptLog()
    const latest = createWitness({ store, ...names, signingKey, now: Date.now, logger }).current()
    writeFileSync(join(folder, `${store.audit.ends().head.sequence}.dsse.json`), latest?.envelope ?? '')
  }
  record(20)
  copyFileSync(file, `${file}.copy`)
  record(50)
  return {
    folder,
    config,
    tamper(sql: string): void {
      const db = openDatabase(open())
      db.exec(sql)
      db.close()
    },
    rollBack: () => copyFileSync(`${file}.copy`, file),
    verify: (...args: string[]): Promise<Ended> =>
      roadveil(['audit', 'verify', '--config', trial.box.config, ...args]),
    startVault: () => startRoadveil(['vault', '--config', trial.box.config]),
  }
}

await t.test('a whole log is said to be whole, with and without a running vault', async (t) => {
  const box = await setUpBox(t)
  t.match(await box.verify(), {
    code: 0,
    stdout: 'the audit log is whole: 70 rows (1 to 70), 2 checkpoints\n',
    stderr: '',
  })
  const checkpoint = join(box.folder, '20.dsse.json')
  t.match(await box.verify('--checkpoint', checkpoint), { code: 0, stdout: /included/ })

  const vault = box.startVault()
  t.teardown(async () => void vault.kill('SIGKILL'))
  await until('vault is up', () => existsSync(join(box.config.runtimeDirectory, 'control.sock')))
  const { code, stdout } = await box.verify('--checkpoint', checkpoint, '--json')
  t.equal(code, 0)
  t.match(JSON.parse(stdout), { ok: true, firstSequence: 1, faults: [] })
  vault.kill('SIGTERM')
  t.equal((await vault.ended).code, 0)
})

await t.test('edits, cuts, forks and roll-backs end with 1 and the place', async (t) => {
  const box = await setUpBox(t)
  box.tamper('UPDATE audit SET at = 5 WHERE sequence = 7; DELETE FROM audit WHERE sequence IN (30, 31)')
  const found = await box.verify()
  t.equal(found.code, 1)
  t.same(found.stdout.split('\n'), [
    'changed: row 7 does not follow from the row before: one of the two was changed',
    'missing: rows 30 to 31 are missing',
    '',
  ])
  t.match(found.stderr, /^roadveil: error: the audit log has 2 faults \[ERR_AUDIT_BROKEN\]\nroadveil: hint: /)

  box.rollBack()
  t.match(await box.verify(), { code: 0 }, 'the copy alone is whole')
  const latest = join(box.folder, '70.dsse.json')
  const back = await box.verify('--checkpoint', latest, '--json')
  t.equal(back.code, 1)
  t.match(JSON.parse(back.stdout), { ok: false, faults: [{ sequence: 70, kind: 'rolled-back' }] })
})

await t.test('a file that is no checkpoint of this box is refused with its code', async (t) => {
  const box = await setUpBox(t)
  const file = join(box.folder, 'other.json')
  for (const [content, code] of [
    ['{}', 'ERR_ENVELOPE_MALFORMED'],
    [' '.repeat(10_000), 'ERR_CHECKPOINT_INVALID'],
  ] as const) {
    writeFileSync(file, content)
    t.match(await box.verify('--checkpoint', file), { code: 1, stdout: '', stderr: code })
  }
  t.match(await box.verify('--checkpoint', join(box.folder, 'none')), {
    code: 1,
    stderr: 'ERR_CHECKPOINT_INVALID',
  })
})
