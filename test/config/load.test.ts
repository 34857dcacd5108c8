import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { checkConfig, loadConfig, loadPlates } from '../../src/config/load.ts'
import { put, shortFolder, validConfig, writeConfig, writeSite } from './site.ts'

await t.test('a config becomes absolute file names, milliseconds and domain values', async (t) => {
  const folder = shortFolder(t)
  const file = writeSite(folder)
  const config = await loadConfig(file)
  t.equal(config.sha256, createHash('sha256').update(readFileSync(file)).digest('hex'))
  t.equal(config.device.signingKeyFile, join(folder, 'keys/signing.pem'))
  t.equal(config.runtimeDirectory, join(folder, 'run'))
  t.equal(config.retention.schedule, '17 * * * *')
  t.strictSame(config.logs, { level: 'info' })
  const [north, replay] = config.cameras
  t.match(north, {
    id: 'north',
    url: 'rtsp://10.0.0.2:554/stream1',
    preRollMs: 10_000,
    timeZone: 'Europe/Berlin',
  })
  t.equal(north?.credentialsFile, join(folder, 'keys/north.txt'))
  t.strictSame(north?.zones, [
    {
      id: 'bus-stop',
      shape: 'polygon',
      points: [
        { x: 0.1, y: 0.1 },
        { x: 0.5, y: 0.1 },
        { x: 0.5, y: 0.4 },
        { x: 0.1, y: 0.4 },
      ],
    },
    {
      id: 'one-way',
      shape: 'line',
      points: [
        { x: 0.1, y: 0.9 },
        { x: 0.9, y: 0.9 },
      ],
      direction: { from: { x: 0.5, y: 0.9 }, to: { x: 0.5, y: 0.5 } },
    },
  ])
  t.strictSame(north?.rules[0], {
    kind: 'no-stopping',
    id: 'no-stopping',
    zoneId: 'bus-stop',
    classes: ['car', 'truck', 'bus', 'motorcycle', 'bicycle'],
    schedule: [],
    mode: 'warning',
    limitMs: 20_000,
  })
  t.strictSame(north?.rules[1], {
    kind: 'reserved-lane',
    id: 'bus-lane',
    zoneId: 'bus-stop',
    classes: ['car', 'truck', 'motorcycle', 'bicycle'],
    schedule: [{ days: ['mon', 'fri'], fromMinute: 420, toMinute: 1170 }],
    mode: 'live',
    effectiveFrom: Date.parse('2026-03-01T00:00:00+01:00'),
    minTravelShare: 0.4,
  })
  t.match(replay, { url: `file:${join(folder, 'clip.mp4')}`, replay: 'fast' })
  t.equal(replay?.replayStartsAt, Date.parse('2026-03-01T06:00:00Z'))
})

await t.test('a slot that ends at midnight ends with its day', async (t) => {
  const config = validConfig()
  put(config, 'cameras[0].rules[1].schedule[0].to', '00:00')
  const { cameras } = await loadConfig(writeSite(shortFolder(t), config))
  t.match(cameras[0]?.rules[1]?.schedule[0], { fromMinute: 420, toMinute: 1440 })
})

await t.test('recordings may be named in three ways', async (t) => {
  const folder = shortFolder(t)
  for (const url of ['file:clip.mp4', `file:${folder}/clip.mp4`, `file://${folder}/clip.mp4`]) {
    const config = validConfig()
    put(config, 'cameras[1].url', url)
    const { cameras } = await loadConfig(writeSite(folder, config))
    t.equal(cameras[1]?.url, `file:${folder}/clip.mp4`)
  }
})

await t.test('a section whose keys are all commented out counts as absent', async (t) => {
  const folder = shortFolder(t)
  const file = writeSite(folder)
  const text = `${readFileSync(file, 'utf8')}retention:\n  # auditDays: 7\nlogs:\n`
  writeConfig(file, text)
  t.match(await loadConfig(file), { retention: { auditDays: 730 }, logs: { level: 'info' } })
})

await t.test('loading a config with faults throws ERR_CONFIG_INVALID with a line for each', async (t) => {
  const config = validConfig()
  put(config, 'site.id', 'X')
  put(config, 'cameras[0].rules[0].limitSeconds', 'ten')
  const file = writeSite(shortFolder(t), config)
  await t.rejects(loadConfig(file), {
    code: 'ERR_CONFIG_INVALID',
    message:
      /^roadveil.yaml has 2 faults:\n {2}line 2: site.id: .*\n {2}line \d+: cameras\[0\].rules\[0\].limitSeconds: must be a number above 0 and at most 86400 \(got "ten"\)$/,
  })
})

await t.test('a config that is not there is ERR_CONFIG_MISSING', async (t) => {
  const folder = shortFolder(t)
  await t.rejects(checkConfig(join(folder, 'none.yaml')), {
    code: 'ERR_CONFIG_MISSING',
    message: /does not exist/,
  })
  await t.rejects(checkConfig(folder), { code: 'ERR_CONFIG_MISSING', message: /is a folder/ })
})

await t.test('what is not plain YAML is ERR_CONFIG_SYNTAX with its line, and is not quoted', async (t) => {
  const file = join(shortFolder(t), 'roadveil.yaml')
  const bomb = `a: &a [x, x]\n${Array.from({ length: 30 }, (_, i) => `k${i}: &k${i} [*a, *a]`).join('\n')}`
  const cases: readonly [string | Buffer, RegExp][] = [
    ['site:\n  id: a\n  id: b\n', /line 3: this key is there twice/],
    ['site:\n\tid: a\n', /line 2: a tab indents this line/],
    ['site: {id: a\n', /line \d: /],
    ['site: "hunter2\n', /line \d: /],
    ['site: hunter2: x\n', /line 1: .*put text with a colon in quotes/],
    ['site: @hunter2\n', /line 1: .*must be in quotes/],
    ['a: &x 1\nb: *x\n', /line 2: aliases/],
    [bomb, /line 2: aliases/],
    ['a: !!js/function hunter2\n', /line 1: tags/],
    ['a: 1\n---\nb: 2\n', /line 2: there must be only one document/],
    ['['.repeat(100_000), /line 1|nested too deep/],
    ['a: "\\q"\n', /line 1: a backslash/],
    ['? [a, b]\n: 1\n', /line 1: a key must be a text/],
    [Buffer.from([0x61, 0x3a, 0xff, 0xfe]), /not UTF-8/],
    [`a: ${'x'.repeat(1024 * 1024)}`, /larger than 1 MiB/],
  ]
  for (const [text, message] of cases) {
    writeFileSync(file, text)
    const error = await checkConfig(file).catch((error: unknown) => error as Error)
    t.match(error, { code: 'ERR_CONFIG_SYNTAX', message })
    t.notMatch((error as Error).message, /hunter2/)
  }
})

await t.test('an empty file, or one with a list, is refused with what is missing', async (t) => {
  const file = join(shortFolder(t), 'roadveil.yaml')
  for (const text of ['', '# nothing\n', '{}\n']) {
    writeFileSync(file, text)
    const { faults } = await checkConfig(file)
    t.match(
      faults.map(({ path, reason }) => `${path} ${reason}`),
      [/^site is missing/, /^device is missing/, /^cameras is missing/],
    )
  }
  for (const text of ['- a\n', 'roadveil\n', '7\n']) {
    writeFileSync(file, text)
    t.match((await checkConfig(file)).faults, [{ path: 'config', reason: 'must be a group of keys' }])
  }
})

await t.test('vision does not look at keys, nor vault at the credentials of cameras', async (t) => {
  const folder = shortFolder(t)
  const file = writeSite(folder)
  chmodSync(join(folder, 'keys/signing.pem'), 0o644)
  t.equal((await checkConfig(file, { reader: 'vision' })).faults.length, 0)
  t.match((await checkConfig(file, { reader: 'vault' })).faults, [{ code: 'ERR_SECRET_FILE' }])
  chmodSync(join(folder, 'keys/signing.pem'), 0o600)
  rmSync(join(folder, 'keys/north.txt'))
  t.equal((await checkConfig(file, { reader: 'vault' })).faults.length, 0)
  t.match((await checkConfig(file, { reader: 'vision' })).faults, [{ path: 'cameras[0].credentialsFile' }])
})

await t.test('a systemd credential stands in for a key file', async (t) => {
  const folder = shortFolder(t)
  const file = writeSite(folder)
  rmSync(join(folder, 'keys/database.key'))
  t.equal((await checkConfig(file)).faults.length, 1)
  writeFileSync(join(folder, 'database-key'), 'k'.repeat(32))
  t.equal((await checkConfig(file, { env: { CREDENTIALS_DIRECTORY: folder } })).faults.length, 0)
})

await t.test('the valid config of these tests is plain YAML', async (t) => {
  const file = writeSite(shortFolder(t))
  t.strictSame(parse(readFileSync(file, 'utf8')), validConfig())
})

await t.test(
  'how plates are read is known without a config, and with one that lacks all the rest',
  async (t) => {
    t.same(await loadPlates(undefined), { minConfidence: 0.85 })
    const file = join(shortFolder(t), 'roadveil.yaml')
    writeFileSync(file, 'site: {}\n')
    t.same(await loadPlates(file), { minConfidence: 0.85 })
    writeFileSync(file, 'plates: { minConfidence: 0.9 }\n')
    t.same(await loadPlates(file), { minConfidence: 0.9 })
    writeFileSync(file, 'site: {}\nplates: { minConfidence: 2 }\n')
    await t.rejects(loadPlates(file), {
      code: 'ERR_CONFIG_INVALID',
      message: /1 fault:\n.*plates\.minConfidence/,
    })
    await t.rejects(loadPlates(`${file}.gone`), { code: 'ERR_CONFIG_MISSING' })
  },
)
