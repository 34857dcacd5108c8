import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { createNotifier } from '../../src/health/notify.ts'
import { keptLog } from '../support/kept-log.ts'
import { listenAsSystemd } from '../support/notify-socket.ts'
import { shortFolder } from '../support/short-folder.ts'
import { until } from '../support/until.ts'

const lacking = spawnSync('systemd-notify', ['--version']).status !== 0 && 'systemd-notify is not installed'
const skip = lacking

await t.test(
  'systemd hears that a service is ready, that it lives, and that it stops',
  { skip },
  async (t) => {
    await using systemd = await listenAsSystemd(join(await shortFolder(t), 'notify'))
    const logger = keptLog()
    const stop = new AbortController()
    const env = { NOTIFY_SOCKET: systemd.path, WATCHDOG_USEC: '200000', WATCHDOG_PID: String(process.pid) }
    const notifier = createNotifier({ env, logger }, stop.signal)
    t.notOk(systemd.said.includes('READY=1'), 'not before it is')
    notifier.ready()
    await until('it is ready', () => systemd.said.includes('READY=1'))
    const pings = (): number => systemd.said.filter((line) => line === 'WATCHDOG=1').length
    await until('it has said three times that it lives', () => pings() >= 3)
    stop.abort()
    notifier.stopping()
    await until('it stops', () => systemd.said.includes('STOPPING=1'))
    t.same(logger.lines, [])
  },
)

await t.test('a watchdog that is for another process, or for none, is told nothing', { skip }, async (t) => {
  await using systemd = await listenAsSystemd(join(await shortFolder(t), 'notify'))
  for (const watchdog of [{ WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' }, {}]) {
    const env = { NOTIFY_SOCKET: systemd.path, ...watchdog }
    const notifier = createNotifier({ env, logger: keptLog() }, new AbortController().signal)
    notifier.ready()
    notifier.stopping()
  }
  await until('both have stopped', () => systemd.said.filter((line) => line === 'STOPPING=1').length === 2)
  t.notOk(systemd.said.includes('WATCHDOG=1'))
})

await t.test('without systemd nobody is told, and a socket that is gone stops nothing', async (t) => {
  const logger = keptLog()
  const never = new AbortController().signal
  createNotifier({ env: {}, logger }, never).ready()
  t.same(logger.lines, [])
  const notifier = createNotifier({ env: { NOTIFY_SOCKET: '/nowhere/notify' }, logger }, never)
  notifier.ready()
  await until('it is logged', () => logger.lines.length > 0)
  notifier.stopping()
  t.match(logger.lines, [{ level: 'warn', message: /systemd/ }])
})
