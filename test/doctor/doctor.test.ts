import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import t from 'tap'
import { askVault } from '../../src/channel/control.ts'
import type { Check } from '../../src/doctor/check.ts'
import { examine } from '../../src/doctor/doctor.ts'
import { loadConfig } from '../../src/config/load.ts'
import { isClockKept } from '../../src/health/clock.ts'
import { openStore } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { runVault } from '../../src/vault/vault.ts'
import { roadveil } from '../cli/roadveil.ts'
import { aboutAt, sealedFixture } from '../store/store.fixture.ts'
import { boxSettings } from '../support/box.ts'
import { keptLog } from '../support/kept-log.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'
import { renderVideo } from '../support/video.ts'

const names = { site: 'main-street', device: 'box-1' }
const folder = await shortFolder(t)
await using broker = await startMosquitto(join(folder, 'trial'), names)
const { trial } = broker
const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 1, size: '320x240' })
const good = boxSettings(trial, names, [{ id: 'bus-stop', url: `file:${video}`, replay: 'fast' }])
mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
writeFileSync(trial.box.config, JSON.stringify(good))
const config = await loadConfig(trial.box.config)

const look = async (): Promise<readonly Check[]> => examine(trial.box.config, { env: {}, now: Date.now() })
const of = (checks: readonly Check[], name: string): Check | undefined =>
  checks.find(({ check }) => check === name)

/** What a change makes of one check; the change is taken back. */
async function broken(change: () => () => void, name: string): Promise<Check | undefined> {
  const undo = change()
  try {
    return (await look()).find(({ check, state }) => check === name && state !== 'ok')
  } finally {
    undo()
  }
}

function rewritten(file: string, bytes: string | Buffer): () => () => void {
  return () => {
    const before = readFileSync(file)
    writeFileSync(file, bytes)
    return () => writeFileSync(file, before)
  }
}

await t.test('a box that is well has no fault, and nothing of it is changed', async (t) => {
  const before = readdirSync(join(trial.box.directory, 'state'))
  const checks = await look()
  t.same(
    checks.filter(({ state }) => state === 'fault'),
    [],
  )
  for (const name of [
    'config',
    'keys',
    'store',
    'certificates',
    'broker',
    'disk',
    'camera bus-stop',
    'models',
    'ffmpeg',
    'setpriv',
  ])
    t.equal(of(checks, name)?.state, 'ok', name)
  for (const name of ['clock', 'swap', 'core dumps']) t.ok(of(checks, name), name)
  t.same(readdirSync(join(trial.box.directory, 'state')), before, 'no store was made')
})

await t.test('each fault has its code, its cause and what to do', async (t) => {
  const camera = (url: string): string => JSON.stringify({ ...good, cameras: [{ id: 'bus-stop', url }] })
  const cases: readonly [() => () => void, string, string][] = [
    [
      rewritten(trial.box.config, camera('rtsp://127.0.0.1:1/stream')),
      'camera bus-stop',
      'ERR_CAMERA_UNREACHABLE',
    ],
    [rewritten(trial.box.config, '{"site": 1}'), 'config', 'ERR_CONFIG_INVALID'],
    [rewritten(trial.box.databaseKey, '{}'), 'store', 'ERR_KEY_INVALID'],
    [rewritten(trial.box.deviceKey, Buffer.alloc(32, 1)), 'store', 'ERR_KEY_WRAP'],
    [
      rewritten(trial.box.certificate, readFileSync(trial.city.certificate)),
      'certificates',
      'ERR_BROKER_REFUSED',
    ],
    [rewritten(trial.box.ca, readFileSync(trial.box.certificate)), 'broker', 'ERR_BROKER_TLS'],
    [
      () => {
        chmodSync(trial.box.signingKey, 0o644)
        return () => chmodSync(trial.box.signingKey, 0o600)
      },
      'config',
      'ERR_SECRET_FILE',
    ],
  ]
  for (const [change, name, code] of cases) {
    const check = await broken(change, name)
    t.match(check, { state: 'fault', code, message: /\w/, hint: /\w/ }, `${name}: ${code}`)
  }
  await broker.kill()
  t.match(of(await look(), 'broker'), { state: 'fault', code: 'ERR_BROKER_UNREACHABLE' })
  await broker.restart()
})

await t.test(
  'a store at rest is looked into: what waits, and for how long, and whether it is whole',
  async (t) => {
    const { file, maxSizeMiB } = config.store
    const key = loadStoreKeys(config, {}).database
    {
      using store = openStore({ file, key, maxSizeMiB, deviceId: names.device })
      store.evidence.commit(sealedFixture(), aboutAt(Date.now() - 3 * 3_600_000))
      t.match(of(await look(), 'store'), { state: 'fault', code: 'ERR_STORE_LOCKED' })
    }
    const before = readdirSync(join(file, '..')).sort()
    t.match(of(await look(), 'store'), {
      state: 'warning',
      code: 'ERR_BACKLOG_OLD',
      message: /1 evidence.* 3 h/,
    })
    t.same(readdirSync(join(file, '..')).sort(), before)
    const bytes = readFileSync(file)
    truncateSync(file, bytes.length - 5 * 4096)
    t.match(of(await look(), 'store'), { state: 'fault', code: 'ERR_STORE_CORRUPT' })
    t.notOk(existsSync(`${file}.damaged`), 'looking salvages nothing')
    writeFileSync(file, bytes)
    rmSync(`${file}-shm`, { force: true })
  },
)

await t.test('a clock that is behind what was recorded is told, whether the vault runs or not', async (t) => {
  const { file, maxSizeMiB } = config.store
  const before = readFileSync(file)
  const aYear = 365 * 86_400_000
  {
    const key = loadStoreKeys(config, {}).database
    using store = openStore({ file, key, maxSizeMiB, deviceId: names.device })
    store.audit.record('vault-started', {}, Date.now() + aYear)
  }
  const told = { state: 'warning', code: 'ERR_CLOCK_WRONG', message: /is past already/, hint: /timedatectl/ }
  const wrong = async (): Promise<Check | undefined> =>
    (await look()).find(({ code }) => code === 'ERR_CLOCK_WRONG')
  if (await isClockKept()) t.notOk(await wrong(), 'a time server keeps this one')
  else t.match(await wrong(), { ...told, check: 'clock' })
  const later = await examine(trial.box.config, { env: {}, now: Date.now() + aYear })
  t.notOk(later.some(({ code }) => code === 'ERR_CLOCK_WRONG'))

  const stop = new AbortController()
  const vault = runVault(config, stop.signal, { logger: keptLog() })
  await until('it runs', () => existsSync(join(config.runtimeDirectory, 'control.sock')))
  const { warnings } = await askVault(config.runtimeDirectory, { verb: 'status' })
  if (await isClockKept()) t.notOk(warnings.some(({ code }) => code === 'ERR_CLOCK_WRONG'))
  else {
    t.match(
      warnings.find(({ code }) => code === 'ERR_CLOCK_WRONG'),
      { message: told.message, hint: told.hint },
    )
    t.match(await wrong(), { ...told, check: 'status' })
  }
  stop.abort()
  await vault
  for (const name of readdirSync(join(file, '..')))
    if (name.startsWith(`${basename(file)}-`)) rmSync(join(file, '..', name))
  rmSync(`${file}.mark`, { force: true })
  writeFileSync(file, before)
})

await t.test('of a running vault it asks for what only that knows', async (t) => {
  const stop = new AbortController()
  const vault = runVault(config, stop.signal, { logger: keptLog() })
  await until('it runs', () => existsSync(join(config.runtimeDirectory, 'control.sock')))
  await until('it is connected', async () => of(await look(), 'broker')?.state === 'ok')
  const checks = await look()
  t.match(of(checks, 'vault'), { state: 'ok', message: /runs since/ })
  t.match(of(checks, 'store'), { state: 'ok', message: /1 evidence/ })
  const told = checks.filter(({ check }) => check === 'status').map(({ code }) => code)
  t.ok(told.includes('ERR_VISION_GONE') && told.includes('ERR_BACKLOG_OLD'), told.join())
  stop.abort()
  await vault
})

await t.test('the verb prints a line a check, JSON where asked, and ends with 1 or 3', async (t) => {
  const run = async (...more: string[]) => roadveil(['doctor', '--config', trial.box.config, ...more])
  const well = await run()
  t.match(well, { code: 0, stdout: /^ok\s+config\s/m })
  await broker.kill()
  const bad = await run('--json')
  t.equal(bad.code, 1)
  t.match(JSON.parse(bad.stdout), { ok: false })
  t.match(bad.stderr, /ERR_UNHEALTHY/)
  writeFileSync(trial.box.config, '{}')
  t.match(await run(), { code: 3, stdout: /^fault\s+config\s/m, stderr: /ERR_CONFIG_INVALID/ })
})
