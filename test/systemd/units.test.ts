import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { VAULT_RUNTIME } from '../../src/cli/run.ts'

/** The units as systemd itself reads them. */

const PROJECT = resolve(import.meta.dirname, '..', '..')
const FOLDER = join(PROJECT, 'systemd')
const UNITS = readdirSync(FOLDER).filter((name) => name.endsWith('.service'))
const run = (program: string, ...args: string[]) => spawnSync(program, args, { encoding: 'utf8' })

const analyze = run('systemd-analyze', '--version')
const skip = analyze.status === 0 ? false : 'systemd-analyze is not installed'
const version = Number(/^systemd (\d+)/.exec(analyze.stdout)?.[1] ?? 0)
/** `security --offline` came with 250. */
const skipSecurity = skip || (version < 250 && `systemd-analyze ${version} cannot look at files`)
/** In tenths: the network, which all of them need, what V8 cannot be without, and for vision capset. */
const MOST_EXPOSED = 17

const read = (unit: string): string => readFileSync(join(FOLDER, unit), 'utf8')
const valuesOf = (unit: string, key: string): string[] =>
  [...read(unit).matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value)

await t.test('there is a unit for each daemon', async (t) => {
  t.same(UNITS.sort(), ['roadveil-receive.service', 'roadveil-vault.service', 'roadveil-vision.service'])
  for (const unit of UNITS) {
    const verb = unit.replace(/^roadveil-|\.service$/g, '')
    const runtime = verb === 'vault' ? VAULT_RUNTIME.map((flag) => ` ${flag}`).join('') : ''
    t.match(valuesOf(unit, 'ExecStart'), [
      new RegExp(`^/opt/roadveil/node_modules/.bin/node${runtime} /opt/roadveil/dist/cli/main.js ${verb} `),
    ])
    t.same(valuesOf(unit, 'RestartPreventExitStatus'), ['2 3'], 'a bad config is not tried again')
    t.ok(Number(valuesOf(unit, 'RestartSec')[0]) <= 2, 'back at work within 10 s')
    t.same(valuesOf(unit, 'StartLimitIntervalSec'), ['0'], 'and never given up')
  }
})

await t.test('systemd finds no fault with the units', { skip }, async (t) => {
  // With this installation in the place of the one in /opt, since the programs have to be there.
  const folder = t.testdir()
  const files = UNITS.map((unit) => {
    const file = join(folder, unit)
    writeFileSync(file, read(unit).replaceAll('/opt/roadveil/node_modules/.bin/node', process.execPath))
    return file
  })
  const { status, stderr } = run('systemd-analyze', 'verify', '--man=no', ...files)
  t.equal(stderr, '')
  t.equal(status, 0)
})

await t.test('the services may do little more than they need', { skip: skipSecurity }, async (t) => {
  for (const unit of UNITS) {
    const options = ['--offline=true', '--no-pager', `--threshold=${MOST_EXPOSED}`]
    const { status, stdout, stderr } = run('systemd-analyze', 'security', ...options, join(FOLDER, unit))
    t.equal(status, 0, `${unit}: ${stdout.trim().split('\n').at(-1)} ${stderr}`)
  }
})

await t.test('vision has no key, no place to write, and another user than vault', async (t) => {
  const [vision, vault] = ['roadveil-vision.service', 'roadveil-vault.service'] as const
  for (const key of ['LoadCredential', 'LoadCredentialEncrypted', 'StateDirectory', 'ReadWritePaths'])
    t.same(valuesOf(vision, key), [], key)
  t.not(valuesOf(vision, 'User')[0], valuesOf(vault, 'User')[0])
  t.same(valuesOf(vision, 'Group'), valuesOf(vault, 'Group'), 'they meet at vault.sock')
  t.same(valuesOf(vault, 'RuntimeDirectoryMode'), ['0710'])
  t.match(valuesOf(vision, 'InaccessiblePaths')[0], /-\/var\/lib\/roadveil\b/)
  for (const unit of UNITS) {
    t.same(valuesOf(unit, 'LimitCORE'), ['0'])
    t.same(valuesOf(unit, 'MemorySwapMax'), ['0'])
  }
})

await t.test('the users of the units are made by systemd-sysusers', async (t) => {
  const file = join(FOLDER, 'roadveil.sysusers.conf')
  const named = [...readFileSync(file, 'utf8').matchAll(/^[ug]\s+(\S+)/gm)].map(([, name]) => name)
  for (const unit of UNITS)
    for (const key of ['User', 'Group'])
      t.ok(named.includes(valuesOf(unit, key)[0] ?? ''), `${key} of ${unit}`)
  const has = run('systemd-sysusers', '--version').status === 0
  if (!has) return
  const root = t.testdir()
  mkdirSync(join(root, 'etc'))
  const { status, stderr } = run('systemd-sysusers', `--root=${root}`, file)
  t.equal(status, 0, stderr)
  t.ok(existsSync(join(root, 'etc', 'passwd')))
  t.match(readFileSync(join(root, 'etc', 'passwd'), 'utf8'), /^roadveil-vision:/m)
})
