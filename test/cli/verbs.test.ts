import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { put, shortFolder, validConfig, writeSite } from '../config/site.ts'
import { MAIN, roadveil } from './roadveil.ts'

const VERBS = [
  'init',
  'check',
  'doctor',
  'models list',
  'models pull',
  'selftest',
  'anonymize',
  'run',
  'status',
  'evidence list',
  'evidence hold',
  'evidence release',
  'evidence holds',
  'audit verify',
  'purge certificates',
  'subject export',
  'subject erase',
  'key rotate',
  'key rewrap',
  'key export-public',
  'vision',
  'vault',
  'receive',
  'command hold',
  'command release',
  'command erase',
  'command resend',
  'command rotate-key',
]

await t.test(
  '--help of every verb goes to stdout, is short, fits 100 columns and has an example',
  async (t) => {
    for (const verb of ['', ...VERBS]) {
      const { code, stdout, stderr } = await roadveil([...verb.split(' ').filter(Boolean), '--help'])
      t.equal(code, 0, `${verb} --help ends with 0`)
      t.equal(stderr, '', `${verb} --help is quiet on stderr`)
      t.match(stdout, /\nExample:\n {2}roadveil /, `${verb} --help has an example`)
      const lines = stdout.split('\n')
      t.ok(lines.length <= 40 && lines.every((line) => line.length <= 100), `${verb} --help fits a screen`, {
        stdout,
      })
    }
  },
)

await t.test('--version is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(join(MAIN, '../../../package.json'), 'utf8')) as {
    version: string
  }
  t.match(await roadveil(['--version']), { code: 0, stdout: `${version}\n`, stderr: '' })
})

await t.test('wrong usage ends with 2, says what is wrong and what to do, and answers nothing', async (t) => {
  const cases: readonly [string[], RegExp][] = [
    [[], /a verb is missing/],
    [['chekc'], /unknown command 'chekc' \(Did you mean check\?\)/],
    [['check', '--jsno'], /unknown option '--jsno'.*--json/],
    [['check', 'extra'], /too many arguments/],
    [['init'], /missing required argument 'folder'/],
    [['init', 'x', '--site', 'Main Street'], /--site must be lower-case letters/],
    [['init', 'x', '--time-zone', 'Mars'], /--time-zone must be an IANA/],
    [['init', 'x', '--camera', 'rtsp://admin:hunter2@h/'], /must not hold user and password/],
    [['init', 'x', '--broker-port', '0'], /from 1 to 65535/],
    [['evidence', 'hold', '0f8fad5b-d9cb-469f-a165-70867728950e'], /required option.*--reason/],
    [['evidence', 'hold', '../x', '--reason', 'y'], /not an evidence id/],
    [['evidence', 'hold', '--case', '7/26', '--reason', 'y'], /one of --camera, --rule and --time-span/],
    [['subject', 'export', '--camera', 'north'], /one of --evidence and --time-span/],
    [['subject', 'erase', '--time-span', '2026-03-01/2026-03-02'], /must be FROM\/TO, with zone/],
    [['evidence'], /a verb is missing/],
  ]
  const folder = shortFolder(t)
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await roadveil(args, folder)
    const name = args.join(' ')
    t.equal(code, 2, `${name} ends with 2`)
    t.equal(stdout, '', `${name} answers nothing`)
    t.match(stderr, /^roadveil: error: .*\[ERR_USAGE\]\nroadveil: hint: .*--help.*\n$/, name)
    t.match(stderr, message, name)
    t.notMatch(stderr, /hunter2|\n\s+at /, name)
  }
})

await t.test('check answers with the faults on stdout and ends with 3', async (t) => {
  const config = validConfig()
  put(config, 'site.id', 'Main Street')
  put(config, 'cameras[0].rules[1].zone', 'busstop')
  const file = writeSite(shortFolder(t), config)
  const { code, stdout, stderr } = await roadveil(['check', '--config', file])
  t.equal(code, 3)
  t.match(stdout.split('\n'), [
    /^line 2: site.id: must be a name of .* \(got "Main Street"\)$/,
    /^line \d+: cameras\[0\].rules\[1\].zone: names no zone of this camera; did you mean "bus-stop"\? \(got "busstop"\)$/,
    '',
  ])
  t.match(stderr, /^roadveil: error: .* has 2 faults \[ERR_CONFIG_INVALID\]\nroadveil: hint: /)
  const json = await roadveil(['check', '--config', file, '--json'])
  t.equal(json.code, 3)
  t.match(JSON.parse(json.stdout), {
    ok: false,
    file,
    faults: [{ path: 'site.id', line: 2 }, { got: '"busstop"' }],
  })
})

await t.test('check tells of YAML that cannot be read, too, and of a file that is not there', async (t) => {
  const folder = shortFolder(t)
  const file = join(folder, 'roadveil.yaml')
  writeFileSync(file, 'site:\n\tid: a\n')
  const json = await roadveil(['check', '--config', file, '--json'])
  t.equal(json.code, 3)
  t.match(JSON.parse(json.stdout), { ok: false, faults: [{ line: 2, code: 'ERR_CONFIG_SYNTAX' }] })
  const missing = await roadveil(['check'], join(folder, '..'))
  t.match(missing, { code: 3, stdout: '', stderr: /roadveil.yaml does not exist \[ERR_CONFIG_MISSING\]/ })
})

await t.test(
  'init makes keys that nobody else may read and a config that lacks only what the city gives',
  async (t) => {
    const folder = join(shortFolder(t), 'box')
    const made = await roadveil([
      'init',
      folder,
      '--site',
      'main-street',
      '--device',
      'box-1',
      '--time-zone',
      'Europe/Berlin',
    ])
    t.match(made, { code: 0, stderr: '' })
    for (const name of ['keys/device.pem', 'keys/device.key', 'keys/database.key']) {
      t.equal(statSync(join(folder, name)).mode & 0o777, 0o600, name)
    }
    t.equal(statSync(join(folder, 'keys/device.key')).size, 32)
    t.match(JSON.parse(readFileSync(join(folder, 'keys/database.key'), 'utf8')), {
      keys: [{ device: [{}], recovery: null }],
    })
    t.match(readFileSync(join(folder, 'box-1.pem'), 'utf8'), /BEGIN PUBLIC KEY/)
    const { stdout } = await roadveil(['check', '--config', join(folder, 'roadveil.yaml')])
    for (const line of stdout.trim().split('\n')) t.match(line, /: (city|broker)\./)
    const again = await roadveil(['init', folder])
    t.match(again, { code: 1, stdout: '', stderr: /not empty \[ERR_ALREADY_THERE\]/ })
  },
)

await t.test('init --trial makes a box whose config has no fault, beside broker and city', async (t) => {
  const folder = join(shortFolder(t), 'trial')
  const clip = join(shortFolder(t), 'clip #1.mp4')
  writeFileSync(clip, 'video')
  const { code, stdout } = await roadveil(['init', folder, '--trial', '--camera', `file:${clip}`, '--json'])
  t.equal(code, 0)
  const made = JSON.parse(stdout) as Record<string, string>
  for (const name of ['config', 'receiverConfig', 'brokerConfig'])
    t.ok(statSync(made[name] ?? '').isFile(), name)
  const config = parse(readFileSync(made['config'] ?? '', 'utf8')) as { cameras: { url: string }[] }
  t.equal(config.cameras[0]?.url, `file:${clip}`)
  const check = await roadveil(['check', '--config', made['config'] ?? '', '--json'])
  const { faults } = JSON.parse(check.stdout) as { faults: { path: string }[] }
  t.strictSame(faults, [])
})

await t.test('models list says that the networks of the release are whole', async (t) => {
  const { code, stdout } = await roadveil(['models', 'list', '--json'])
  t.equal(code, 0)
  t.match(JSON.parse(stdout), {
    models: [
      { role: 'objects', state: 'ok' },
      { role: 'regions', state: 'ok' },
      { role: 'regions-fine', state: 'ok' },
      { role: 'plate-text', state: 'ok' },
    ],
  })
  t.match(await roadveil(['models', 'list']), { code: 0, stdout: /objects +roadveil_vehicles\.onnx .* ok/ })
})

await t.test('what asks the vault ends with 4 when none runs', async (t) => {
  const file = writeSite(shortFolder(t))
  const id = '0f8fad5b-d9cb-469f-a165-70867728950e'
  for (const args of [
    ['status'],
    ['status', '--json'],
    ['evidence', 'list'],
    ['audit', 'verify'],
    ['evidence', 'hold', id, '--reason', 'court order'],
    ['evidence', 'release', id, '--reason', 'case closed'],
    ['purge', 'certificates'],
    ['subject', 'export', '--evidence', id],
  ]) {
    const { code, stdout, stderr } = await roadveil([...args, '--config', file])
    t.equal(code, 4, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, /^roadveil: error: .*\[ERR_VAULT_UNREACHABLE\]\nroadveil: hint: .*roadveil run/)
  }
})

await t.test('a reader that goes away is no error', async (t) => {
  const command = `${process.execPath} ${MAIN} models list --json | true; echo "\${PIPESTATUS[0]}"`
  const { stdout, stderr } = spawnSync('bash', ['-c', command], { encoding: 'utf8' })
  t.equal(stdout.trim(), '0')
  t.notMatch(stderr, /EPIPE/)
})
