import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'

/** The processes of the demo. They end with it, whatever ends it. */
export class Children implements AsyncDisposable {
  readonly #running: { readonly name: string; readonly child: ChildProcess }[] = []
  readonly #logDirectory: string

  constructor(logDirectory: string) {
    this.#logDirectory = logDirectory
  }

  /**
   * Starts a program. Its stderr goes to a log file; its stdout too, unless `onLine` takes it.
   *
   * A session of its own keeps Ctrl-C from it, so that everything can be stopped in order; the parent-death signal makes
   * sure that it ends even if the demo is killed.
   */
  start(name: string, command: readonly string[]): ChildProcess {
    const log = openSync(`${this.#logDirectory}/${name}.log`, 'a', 0o600)
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], {
      stdio: ['ignore', 'pipe', log],
      detached: true,
    })
    child.on('error', () => undefined)
    this.#running.push({ name, child })
    return child
  }

  /** The first process that ended by itself, if any. */
  get dead(): string | undefined {
    return this.#running.find(({ child }) => child.exitCode !== null || child.signalCode !== null)?.name
  }

  /** Stops the youngest first: the box before the broker and the camera that it talks to. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child } of this.#running.splice(0).reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), 60_000)
      await ended
      clearTimeout(kill)
    }
  }
}
