import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { PacketClip } from '../../src/camera/packet-ring.ts'
import type { PathPoint } from '../../src/domain/track.ts'
import { openEvidenceBuilder } from '../../src/vision/evidence-builder.ts'
import type { EvidenceJob, JobAftermath } from '../../src/vision/evidence-worker.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { renderVideo } from '../support/video.ts'

const T0 = Date.UTC(2026, 5, 1, 12)
const SIZE = { width: 640, height: 352 }
const span = { from: T0, to: T0 + 900 }
const never = new AbortController().signal

function clipOf(bytes: Uint8Array): PacketClip {
  return { bytes, anchor: T0, ...SIZE }
}

function job(clip: PacketClip): EvidenceJob {
  const arrival = { hostAt: T0, monotonicMs: 1 }
  const rule = { id: 'stop', kind: 'no-stopping', zoneId: 'zone', mode: 'warning' } as const
  return {
    violation: {
      ...{ id: randomUUID(), cameraId: 'cam', trackId: 'cam-1', class: 'car', ruleId: rule.id },
      ...{ ruleKind: rule.kind, zoneId: rule.zoneId, mode: rule.mode, path: [] },
      ...{ enteredAt: T0, judgedAt: T0 + 900, arrivals: { entered: arrival, judged: arrival } },
    },
    camera: {
      id: 'cam',
      zones: [{ id: 'zone', shape: 'polygon', points: [] }],
      rules: [{ ...rule, classes: ['car'], schedule: [], limitMs: 500 }],
    },
    provenance: {
      ...{ site: 'site', siteName: 'Site', device: 'box', place: null, timeZone: 'UTC' },
      ...{ bootId: 'boot', version: '0', configSha256: '0'.repeat(64), models: [] },
    },
    clock: { synchronized: null, source: 'unknown', offsetMs: null, lastSyncAt: null },
    pieces: [{ span, clip }],
    fps: 2,
    minConfidence: 0.85,
    maskOccupants: true,
  }
}

const pathAt = (x: number): PathPoint[] => [
  { capturedAt: T0, box: { x, y: 0.5, w: 0.1, h: 0.1 }, seen: true },
]

await t.test(
  'what happened after a violation that left no evidence is never taken for the aftermath of the next one',
  async (t) => {
    const video = await renderVideo(join(t.testdir(), 'tiny.mp4'), { seconds: 1 })
    const args = ['-v', 'error', '-i', video, '-c', 'copy', '-f', 'matroska', '-']
    const good = clipOf(execFileSync('ffmpeg', args, { maxBuffer: 2 ** 24 }))
    const damaged = clipOf(readFileSync(import.meta.filename))

    await using builder = await openEvidenceBuilder(await loadModelSource())
    const first = Promise.withResolvers<JobAftermath>()
    const second = Promise.withResolvers<JobAftermath>()
    await t.rejects(builder.build(job(damaged), first.promise, never), { code: 'ERR_DECODE_FAILED' })
    const built = builder.build(job(good), second.promise, never)
    // Only now the first violation's aftermath is over, while the second one's is still being filmed.
    await sleep(200)
    first.resolve({ path: pathAt(0.1) })
    await sleep(1_500)
    second.resolve({ path: pathAt(0.7) })
    const { facts } = await built
    t.same(
      facts.vehicle.path.map(({ box }) => box.x),
      [0.7],
    )
  },
)

await t.test('a package that cannot be loaded is named at the start, with what to do about it', async (t) => {
  const refuse = `import { registerHooks } from 'node:module'
      registerHooks({ resolve(name, context, next) {
        if (name === 'sharp') throw new Error('no sharp for this machine\\nand more')
        return next(name, context)
      } })`
  const source = new URL('../../src/', import.meta.url)
  const start = `import { openEvidenceBuilder } from '${new URL('vision/evidence-builder.ts', source).href}'
      import { loadModelSource } from '${new URL('models/source.ts', source).href}'
      await openEvidenceBuilder(await loadModelSource()).catch((error) => console.log(error.code, error.message))`
  const file = join(t.testdir({ 'start.mjs': start }), 'start.mjs')
  const args = ['--import', `data:text/javascript,${encodeURIComponent(refuse)}`, file]
  const said = execFileSync(process.execPath, args, { encoding: 'utf8' })
  t.equal(said.trim(), 'ERR_INSTALLATION the evidence thread cannot be started: no sharp for this machine')
})
