import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { askVault } from '../../src/channel/control.ts'
import { loadConfig } from '../../src/config/load.ts'
import { openStore } from '../../src/store/open.ts'
import { loadStoreKeys } from '../../src/vault/keys.ts'
import { sealedFixture } from '../store/store.fixture.ts'
import { boxSettings } from '../support/box.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'
import { type Ended, roadveil, startRoadveil } from './roadveil.ts'

const names = { site: 'main-street', device: 'box-1' }
const box = 'main-street/box-1'
const why = ['--reason', 'court order']

await t.test('the city commands a box, and sees what the box says about it', async (t) => {
  await using broker = await startMosquitto(join(await shortFolder(t), 't'), names)
  const { trial } = broker
  mkdirSync(join(trial.box.directory, 'state'), { mode: 0o700 })
  writeFileSync(trial.box.config, JSON.stringify(boxSettings(trial, names)))
  const config = await loadConfig(trial.box.config)
  const sealed = sealedFixture()
  {
    using store = openStore({
      ...config.store,
      key: loadStoreKeys(config, {}).database,
      deviceId: names.device,
    })
    const at = Date.now() - 1000
    store.evidence.commit(sealed, { camera: 'north', ruleId: 'bus-stop', judgedAt: at, at })
  }
  const command = (...args: string[]): Promise<Ended> =>
    roadveil(['command', ...args, '--config', trial.city.config])

  t.match(await command('hold', box, '--case', '7/26', ...why), { code: 2, stderr: /ERR_USAGE/ })
  t.match(await command('rotate-key', 'box-1', ...why), { code: 2, stderr: /ERR_USAGE/ })
  t.match(await command('rotate-key', 'main-street/box-9', ...why), { code: 1, stderr: /ERR_DEVICE_UNKNOWN/ })
  const early = await command('resend', box, '--camera', 'south', ...why, '--timeout', '1')
  t.match(early, {
    code: 4,
    stdout: '',
    stderr: /has not answered .*\[ERR_ANSWER_MISSING\]\nroadveil: hint: The/,
  })

  const vault = startRoadveil(['vault', '--config', trial.box.config])
  t.teardown(async () => void vault.kill('SIGKILL'))
  const status = async () => askVault(config.runtimeDirectory, { verb: 'status' }).catch(() => undefined)
  await until('the box is connected', async () => (await status())?.delivery.connected === true)

  const held = await command('hold', box, sealed.evidenceId, '--case', '7/26', ...why)
  t.match(held, { code: 0, stderr: '', stdout: /^box-1 has done hold at .*\n1 on hold\n0 on hold for this/ })
  const again = await command('hold', box, sealed.evidenceId, '--case', '7/26', ...why, '--json')
  t.match(JSON.parse(again.stdout), { outcome: 'done', changed: { held: 0, already: 1 }, device: 'box-1' })
  const refused = await command('release', box, '--case', '8/26', ...why, '--json')
  t.match(refused, { code: 1, stderr: /refused command .*: ERR_HOLD_UNKNOWN \[ERR_COMMAND_REFUSED\]/ })
  t.match(JSON.parse(refused.stdout), { outcome: 'refused', code: 'ERR_HOLD_UNKNOWN' })
  const rotated = await command('rotate-key', box, ...why)
  t.match(rotated, { code: 0, stdout: /the signing key [0-9a-f]{16} has taken the place of [0-9a-f]{16}\n/ })

  const shown = await roadveil(['status', '--config', trial.box.config])
  // No receiver ran that would have sent the one from before the box was up on to it.
  t.match(shown.stdout, /^commands {3}3 done, 1 refused since the start$/m)
})
