import { createPublicKey } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadPublicKey } from '../../src/sealing/keys.ts'
import { brokerlessTrial, writeBox } from '../support/box.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'
import { type Ended, roadveil, startRoadveil } from './roadveil.ts'

const names = { site: 'main-street', device: 'box-1' }

async function setUpBox(t: { teardown(act: () => Promise<void>): void }) {
  const trial = await brokerlessTrial(await shortFolder(t), names)
  writeBox(trial, names)
  return {
    trial,
    key: (...args: string[]): Promise<Ended> => roadveil(['key', ...args, '--config', trial.box.config]),
  }
}

await t.test('the public key comes out as the city takes it, with its id beside it', async (t) => {
  const { trial, key } = await setUpBox(t)
  const known = loadPublicKey(join(trial.city.devices, 'box-1.pem'))
  const { code, stdout, stderr } = await key('export-public')
  t.equal(code, 0)
  t.ok(createPublicKey(stdout).equals(known.publicKey))
  t.match(stderr, `the key of box-1 has the id ${known.id}`)
  const json = await key('export-public', '--json')
  t.match(JSON.parse(json.stdout), { device: 'box-1', keyId: known.id, publicKey: /BEGIN PUBLIC KEY/ })
})

await t.test(
  'keys are changed while the box stands still, and the box starts with the new ones',
  async (t) => {
    const { trial, key } = await setUpBox(t)
    const secrets = (): string[] =>
      [trial.box.deviceKey, trial.box.signingKey].flatMap((file) => {
        const bytes = readFileSync(file)
        return [bytes.toString('latin1'), bytes.toString('hex'), bytes.toString('base64')]
      })
    const before = secrets()
    const answers: Ended[] = []
    for (const args of [
      ['rotate', 'database', '--json'],
      ['rotate', 'signing'],
      ['rewrap', '--new-device-key'],
      ['rewrap', '--identity', trial.city.recovery, '--json'],
    ]) {
      const answer = await key(...args)
      t.equal(answer.code, 0, `${args.join(' ')}: ${answer.stderr}`)
      t.equal(answer.stderr, '')
      answers.push(answer)
    }
    t.match(JSON.parse(answers[0]?.stdout ?? ''), { key: 'database', keyId: /^[0-9a-f]{16}$/ })
    t.match(answers[1]?.stdout, /^the signing key [0-9a-f]{16} has taken the place of [0-9a-f]{16}\n$/)
    for (const secret of [...before, ...secrets()]) {
      for (const { stdout } of answers) t.notOk(stdout.includes(secret))
    }

    const vault = startRoadveil(['vault', '--config', trial.box.config])
    t.teardown(async () => void vault.kill('SIGKILL'))
    await until('vault is up', () => existsSync(join(trial.box.directory, 'run', 'control.sock')))
    const locked = await key('rotate', 'database')
    t.match(locked, { code: 1, stdout: '', stderr: /\[ERR_STORE_LOCKED\]\nroadveil: hint: Stop/ })
    vault.kill('SIGTERM')
    const { code, stderr } = await vault.ended
    t.equal(code, 0)
    t.notMatch(stderr, /ERR_KEY/, 'nothing to warn about')
  },
)

await t.test('wrong usage and wrong files end with their codes', async (t) => {
  const { trial, key } = await setUpBox(t)
  t.match(await key('rotate', 'broker'), { code: 2, stdout: '' })
  t.match(await key('rewrap', '--identity', trial.city.identity), { code: 1, stderr: /ERR_KEY_WRAP/ })
  t.match(await key('rewrap', '--also-for', trial.box.config), { code: 3, stderr: /ERR_SECRET_FILE/ })
  t.equal(statSync(trial.box.databaseKey).mode & 0o777, 0o600)
})
