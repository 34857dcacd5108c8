import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { createTrial, type Trial } from '../../src/trial/trial.ts'
import { freePort } from '../../scripts/demo/free-port.ts'
import { isHeard, tellHandled } from './handled.ts'
import { admitWatcher } from './watched-broker.ts'

/** A real mosquitto with the config of a trial, for one test. */
export interface TestBroker extends AsyncDisposable {
  readonly trial: Trial
  readonly port: number
  /** What it wrote so far. */
  log(): string
  /** SIGKILL, as a power cut would do it. */
  kill(): Promise<void>
  /** Starts it again on the same port. */
  restart(): Promise<void>
}

const START_MS = 60_000

/** Sets up a trial in `directory` and starts its broker. */
export async function startMosquitto(
  directory: string,
  names: {
    readonly site?: string
    readonly device?: string
    readonly hosts?: readonly [string, ...string[]]
  } = {},
): Promise<TestBroker> {
  const port = await freePort()
  const trial = await createTrial(directory, {
    site: names.site ?? 'hill-street',
    device: names.device ?? 'box-1',
    topicPrefix: 'roadveil',
    hosts: names.hosts ?? ['127.0.0.1', 'localhost'],
    port,
    now: new Date(),
  })
  tellHandled({ kind: 'trial', trial })
  let log = ''
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    // /usr/sbin is not on every user's PATH; setpriv lets the broker die with a test that is killed.
    const started = spawn('setpriv', ['--pdeathsig', 'KILL', 'mosquitto', '-c', trial.broker.config], {
      env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin` },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
      tellHandled({ kind: 'text', where: 'the log of the broker', text: log.slice(-text.length - 200) })
    })
    child = started
    await listening(port, started, () => log)
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const startWatching = isHeard() ? await admitWatcher(trial) : undefined
  await start()
  const watch = startWatching?.()
  return {
    ...{ trial, port, log: () => log, kill, restart: start },
    async [Symbol.asyncDispose]() {
      await watch?.[Symbol.asyncDispose]()
      await kill()
    },
  }
}

async function listening(port: number, child: ChildProcess, log: () => string): Promise<void> {
  const until = Date.now() + START_MS
  while (Date.now() < until) {
    if (child.exitCode !== null) throw new Error(`mosquitto ended: ${log()}`)
    const socket = connect(port, '127.0.0.1')
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => {
        resolve(true)
      })
      socket.once('error', () => {
        resolve(false)
      })
    })
    socket.destroy()
    if (open) return
    await sleep(20)
  }
  throw new Error(`mosquitto does not listen: ${log()}`)
}
