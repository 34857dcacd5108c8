import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Logger } from '../log.ts'

/** Tells systemd how a daemon is, sd_notify(3). */
export interface Notifier {
  /** It is at work. From now on systemd is told so again and again, where the unit has a watchdog. */
  ready(): void
  /** It has been told to stop, and finishes what it is doing. */
  stopping(): void
}

type Env = Readonly<Record<string, string | undefined>>
type Send = (...states: readonly string[]) => Promise<void>

const SEND_MS = 10_000

/**
 * Creates the notifier of a service that systemd has started; without a `NOTIFY_SOCKET` in the environment it tells nobody anything.
 *
 * Node.js has no sockets for datagrams between processes, so systemd's own program sends them: the unit needs `NotifyAccess=all`. A
 * message that cannot be sent stops nothing: systemd then does what it does with a service that is silent.
 *
 * @param signal ends the watchdog's messages
 */
export function createNotifier(
  { env, logger }: { readonly env: Env; readonly logger: Logger },
  signal: AbortSignal,
): Notifier {
  const socket = env['NOTIFY_SOCKET']
  if (socket === undefined || socket === '') return { ready: () => undefined, stopping: () => undefined }
  let isFailing = false
  const send: Send = async (...states) => {
    try {
      await promisify(execFile)('systemd-notify', [...states], {
        timeout: SEND_MS,
        env: { PATH: '/usr/bin:/bin', NOTIFY_SOCKET: socket },
      })
      isFailing = false
    } catch (error) {
      if (!isFailing) logger.warn('systemd cannot be told how this process is', { error })
      isFailing = true
    }
  }
  return {
    ready() {
      void send('--ready')
      const everyMs = watchdogMs(env) / 2
      if (everyMs <= 0 || signal.aborted) return
      // A timer of the main loop: one that stands still is what a watchdog is there for.
      const timer = setInterval(() => void send('WATCHDOG=1'), everyMs)
      signal.addEventListener('abort', () => clearInterval(timer), { once: true })
    },
    stopping: () => void send('STOPPING=1'),
  }
}

/** How long systemd waits for a message, 0 where it does not: sd_watchdog_enabled(3). */
function watchdogMs(env: Env): number {
  const { WATCHDOG_USEC: usec, WATCHDOG_PID: pid } = env
  if (pid !== undefined && pid !== String(process.pid)) return 0
  const ms = Number(usec ?? 0) / 1000
  return Number.isFinite(ms) && ms > 0 ? ms : 0
}
