import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { askVault } from '../../src/channel/control.ts'
import type { VaultStatus } from '../../src/channel/control-messages.ts'
import { pause } from '../../src/waiting.ts'
import { CREDENTIALS_FILE, openDemoCamera } from './camera.ts'
import { Children } from './children.ts'
import { createLiveDisplay, liveLine } from './live.ts'
import { openedEvidence, summarize, summaryText } from './summary.ts'
import { ROADVEIL, type Trial, makeTrial } from './trial.ts'

const HELP = `Usage: scripts/demo.sh [--once] [--json] [--input rtsp://…|FILE]

Plays a clip as an RTSP camera and shows how its violation gets to the city: real camera, broker, receiver and box,
all on this machine.

  --once         stop after the first violation that the city confirmed; fail if there is none within 3 minutes
  --json         print the summary as one JSON object on stdout
  --input WHAT   your own camera (rtsp://…) or video file instead of the built-in street scene;
                 the rule is then: no vehicle may stand still for more than 5 s, anywhere in the picture
`

const DEADLINE_MS = 180_000
const KEPT_RUNS = 10

const values = readOptions()
if (values.help) {
  process.stdout.write(HELP)
  process.exit(0)
}
const stopping = new AbortController()
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stopping.abort())
process.exitCode = await demo(stopping.signal).catch((error: unknown) => {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
})

function readOptions() {
  try {
    return parseArgs({
      options: {
        once: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        input: { type: 'string' },
        help: { type: 'boolean', default: false, short: 'h' },
      },
    }).values
  } catch (error) {
    process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n\n${HELP}`)
    process.exit(2)
  }
}

async function demo(signal: AbortSignal): Promise<number> {
  const directory = newRunDirectory()
  // Unix sockets need a short path, wherever the checkout lies.
  const runtimeDirectory = mkdtempSync(join(tmpdir(), 'roadveil-'))
  const logs = join(directory, 'logs')
  mkdirSync(logs)
  try {
    await using children = new Children(logs)
    const camera = await openDemoCamera(values.input, directory, children)
    const trial = await makeTrial(directory, runtimeDirectory, camera, values.input === undefined)
    process.stderr.write(`Camera: ${camera.what}\nFiles and logs: ${directory}\n`)
    children.start('broker', ['mosquitto', '-c', trial.brokerConfig])
    children.start('receiver', [...ROADVEIL, 'receive', '--config', trial.receiverConfig])
    children.start('box', [...ROADVEIL, 'run', '--config', trial.config])
    const exitCode = await watch(children, trial, runtimeDirectory, logs, signal)
    process.stderr.write('Stopping; what is being redacted is finished first.\n')
    return exitCode
  } finally {
    // The last runs are kept to look at, but not the password of somebody's camera.
    rmSync(join(directory, CREDENTIALS_FILE), { force: true })
    rmSync(runtimeDirectory, { recursive: true, force: true })
  }
}

/** Shows what happens until the first confirmed violation, and on until Ctrl-C unless --once is given. */
async function watch(
  children: Children,
  trial: Trial,
  runtimeDirectory: string,
  logs: string,
  signal: AbortSignal,
): Promise<number> {
  const display = createLiveDisplay(process.stderr)
  const deadline = performance.now() + DEADLINE_MS
  let summarized = false
  let status: VaultStatus | undefined
  while (!signal.aborted) {
    if (children.dead)
      throw new Error(`the ${children.dead} ended unexpectedly; see ${logs}/${children.dead}.log`)
    status = await askVault(runtimeDirectory, { verb: 'status' }).catch(() => undefined)
    if (status) display.show(liveLine(status))
    const [opened] = openedEvidence(trial.evidence)
    if (!summarized && status && status.delivery.delivered > 0 && opened) {
      display.leave()
      const summary = summarize(status, opened)
      process.stdout.write(`${values.json ? JSON.stringify(summary) : `\n${summaryText(summary)}\n`}\n`)
      summarized = true
      if (values.once) return 0
      process.stderr.write('Running until Ctrl-C.\n')
    }
    if (values.once && performance.now() > deadline)
      throw new Error(`nothing was confirmed within 3 minutes: ${reason(status, logs)}`)
    await pause(1_000, signal)
  }
  display.leave()
  if (values.once && !summarized) throw new Error('stopped before anything was confirmed')
  return 0
}

function reason(status: VaultStatus | undefined, logs: string): string {
  if (!status) return `the box does not answer; see ${logs}/box.log`
  const warnings = status.warnings.map(({ message, hint }) => `${message} (${hint})`)
  if (warnings.length > 0) return warnings.join('; ')
  if ((status.counts?.violations ?? 0) === 0) return 'no vehicle broke the rule'
  return `violations were found but not delivered; see ${logs}`
}

/** One folder a run, the last few are kept to look at. */
function newRunDirectory(): string {
  const all = fileURLToPath(new URL('../../.demo', import.meta.url))
  mkdirSync(all, { recursive: true, mode: 0o700 })
  for (const old of readdirSync(all)
    .sort()
    .slice(0, -KEPT_RUNS + 1))
    rmSync(join(all, old), { recursive: true })
  const directory = join(all, new Date().toISOString().replaceAll(/[:.]/g, '-'))
  mkdirSync(directory, { mode: 0o700 })
  return directory
}
