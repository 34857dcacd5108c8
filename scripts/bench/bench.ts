import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { askVault } from '../../src/channel/control.ts'
import { BUILT_IN_CLIP, openDemoCamera } from '../demo/camera.ts'
import { Children } from '../demo/children.ts'
import { openedEvidence, secondsToReceipt } from '../demo/summary.ts'
import { ROADVEIL, makeTrial } from '../demo/trial.ts'
import { bareDecodeSeconds, bareInferenceSeconds } from './bare.ts'
import { line } from './line.ts'
import { stolenSeconds, usageOf } from './process-tree.ts'

/**
 * One 1080p camera at 25 frames a second, one violation a minute: what the box uses, and how that compares with nothing but
 * decoding the stream and running the detector on the same frames, measured in the same run.
 */

const WARM_UP_MS = 10_000
const MEASURED_S = 120
const ANALYSIS_FPS = 5

const directory = mkdtempSync(join(tmpdir(), 'roadveil-bench-'))
const stopping = new AbortController()
process.once('SIGINT', () => stopping.abort())
try {
  await bench(stopping.signal)
} finally {
  rmSync(directory, { recursive: true, force: true })
}

async function bench(signal: AbortSignal): Promise<void> {
  if (!existsSync(ROADVEIL[1] ?? '')) throw new Error('build first: npm run build')
  const runtimeDirectory = join(directory, 'run')
  mkdirSync(runtimeDirectory, { mode: 0o700 })
  mkdirSync(join(directory, 'logs'))
  const clip = minuteOfStreet()
  await using children = new Children(join(directory, 'logs'))
  const trial = await makeTrial(
    directory,
    runtimeDirectory,
    await openDemoCamera(clip, directory, children),
    true,
  )
  children.start('broker', ['mosquitto', '-c', trial.brokerConfig])
  children.start('receiver', [...ROADVEIL, 'receive', '--config', trial.receiverConfig])
  const box = children.start('box', [...ROADVEIL, 'run', '--config', trial.config])
  if (box.pid === undefined) throw new Error('the box did not start')

  await selftestPassed(runtimeDirectory, signal)
  await sleep(WARM_UP_MS, undefined, { signal })
  const before = usageOf(box.pid)
  const stolenBefore = stolenSeconds()
  const first = await askVault(runtimeDirectory, { verb: 'status' })
  let peakMb = 0
  for (let second = 0; second < MEASURED_S; second++) {
    await sleep(1_000, undefined, { signal })
    peakMb = Math.max(
      peakMb,
      usageOf(box.pid, (command) => /main\.js (vision|vault) /.test(command)).memoryMb,
    )
  }
  const used = usageOf(box.pid).cpuSeconds - before.cpuSeconds
  const stolen = stolenSeconds() - stolenBefore
  const last = await askVault(runtimeDirectory, { verb: 'status' })
  const [a, b] = [first.cameras[0], last.cameras[0]]
  const frames = (b?.frames ?? 0) - (a?.frames ?? 0)
  const opened = openedEvidence(trial.evidence).at(-1)
  const receipt = opened === undefined ? null : secondsToReceipt(last, opened)

  const decode = bareDecodeSeconds(clip, MEASURED_S)
  const inference = await bareInferenceSeconds(MEASURED_S * ANALYSIS_FPS)
  line(
    'measured',
    `${MEASURED_S} s, 1080p at 25 fps, ${last.counts?.violations ?? 0} violations, ${last.delivery.delivered} confirmed`,
  )
  line(
    'analysis frames per second',
    `${(frames / MEASURED_S).toFixed(2)} (${(b?.dropped ?? 0) - (a?.dropped ?? 0)} dropped)`,
  )
  line('CPU, everything of ours with ffmpeg', `${(used / MEASURED_S).toFixed(2)} cores`)
  line('taken by other virtual machines meanwhile', `${(stolen / MEASURED_S).toFixed(2)} cores`)
  line('memory of vision and vault, peak (PSS)', `${peakMb.toFixed(0)} MB`)
  line('violation judged to receipt', receipt === null ? 'no violation was confirmed' : `${receipt} s`)
  line('bare ffmpeg decode of the same seconds', `${(decode / MEASURED_S).toFixed(2)} cores`)
  line('bare inference of the same frames', `${(inference / MEASURED_S).toFixed(2)} cores`)
  line('ours / (bare decode + bare inference)', (used / (decode + inference)).toFixed(2))
}

/** New networks are tested once, before they may decide about anybody. */
async function selftestPassed(runtimeDirectory: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    await sleep(1_000, undefined, { signal })
    const status = await askVault(runtimeDirectory, { verb: 'status' }).catch(() => undefined)
    if (status?.selftest === 'passed') return
    if (status?.selftest === 'failed') throw new Error('the networks did not pass the self-test')
  }
}

/** A minute at 25 fps: the built-in scene once, then its first seven seconds, in which nobody stops, again and again. */
function minuteOfStreet(): string {
  const file = join(directory, 'street-25fps.mp4')
  const quiet = `file 'file:${BUILT_IN_CLIP}'\noutpoint 7\n`
  const list = `ffconcat version 1.0\nfile 'file:${BUILT_IN_CLIP}'\n${quiet.repeat(6)}`
  const encode = ['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', '-g', '50', '-pix_fmt', 'yuv420p']
  const input = ['-f', 'concat', '-safe', '0', '-protocol_whitelist', 'pipe,fd,file', '-i', 'pipe:0']
  execFileSync('ffmpeg', ['-v', 'error', ...input, '-vf', 'fps=25', '-t', '60', ...encode, file], {
    input: list,
  })
  return file
}
