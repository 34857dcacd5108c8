import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { startRoadveil } from '../cli/roadveil.ts'
import { brokerlessTrial, writeBox } from '../support/box.ts'
import { listenAsSystemd } from '../support/notify-socket.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'

const lacking = spawnSync('systemd-notify', ['--version']).status !== 0 && 'systemd-notify is not installed'

await t.test(
  'the daemons tell systemd when they are at work, and when they stop',
  { skip: lacking },
  async (t) => {
    const folder = await shortFolder(t)
    const names = { site: 'main-street', device: 'box-1' }
    const trial = await brokerlessTrial(folder, names)
    writeBox(trial, names)
    for (const [daemon, config] of [
      ['vault', trial.box.config],
      ['vision', trial.box.config],
      ['receive', trial.city.config],
    ] as const) {
      await using systemd = await listenAsSystemd(join(folder, `${daemon}.notify`))
      const started = startRoadveil([daemon, '--config', config], { env: { NOTIFY_SOCKET: systemd.path } })
      t.teardown(() => void started.kill('SIGKILL'))
      await until(`${daemon} is ready`, () => systemd.said.includes('READY=1') || started.exitCode !== null)
      t.ok(systemd.said.includes('READY=1'), `${daemon} is ready ${started.exitCode ?? ''}`)
      started.kill('SIGTERM')
      await started.ended
      await until(`${daemon} has stopped`, () => systemd.said.includes('STOPPING=1'))
    }
  },
)

await t.test('a daemon with a bad config is never ready', { skip: lacking }, async (t) => {
  const folder = await shortFolder(t)
  await using systemd = await listenAsSystemd(join(folder, 'notify'))
  const env = { NOTIFY_SOCKET: systemd.path }
  const { code } = await startRoadveil(['vault', '--config', join(folder, 'none.yaml')], { env }).ended
  t.equal(code, 3)
  t.same(systemd.said, ['bound'])
})
