import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Detectors } from '../../src/privacy/search.ts'
import { ffmpeg, halves, run } from './files.ts'
import { detectorsOf } from '../support/detectors.ts'

const folder = t.testdir({ in: {}, disk: {} })
const disk = join(folder, 'disk')
const mounted = mount('1536k')
const clip = (name: string, ...filter: string[]): string => {
  const file = join(folder, 'in', name)
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    ['color=black:size=320x240:rate=10:duration=6', ...filter].join(','),
    '-c:v',
    'ffv1',
    file,
  )
  return file
}
const noisy = clip('a.mkv', 'geq=random(1)*255:random(2)*255:random(3)*255')
const black = clip('b.mkv')
const still = join(folder, 'in/c.jpg')
writeFileSync(still, await halves(64, 48, 'red', 'blue').jpeg().toBuffer())
/** Many faces in every frame, none of which is found again: what is written about them is larger than the video. */
const faces = Array.from({ length: 144 }, (_, i) => ({
  kind: 'face' as const,
  box: { x: 0.08 * (i % 12), y: 0.08 * Math.floor(i / 12), w: 0.02, h: 0.02 },
  score: 0.9,
}))
const finding = (found: typeof faces): Detectors =>
  detectorsOf(async (_, __, scale) => (scale === 1.5 ? [] : found))
const filesOf = (): string[] => readdirSync(disk, { recursive: true, encoding: 'utf8' }).sort()
const skip = mounted ? false : 'a small file system cannot be mounted here'

await t.test(
  'a video that does not fit on the disk leaves nothing, and the rest goes on',
  { skip },
  async (t) => {
    const { codes, outcome } = await run([noisy, still], disk, { detectors: finding([]) })
    t.same(codes, { 'a.mkv': 'ERR_OUTPUT_DISK_FULL' })
    t.equal(outcome.anonymized, 1)
    const work = '.roadveil-anonymize'
    t.same(filesOf(), [work, `${work}/c.jpg.json`, `${work}/c.jpg.jsonl`, 'c.jpg'])
  },
)

await t.test('so it is where the boxes of a video do not fit, or the report', { skip }, async (t) => {
  writeFileSync(join(disk, 'of others'), Buffer.alloc(1_450_000))
  const before = filesOf()
  const boxes = await run([black], disk, { detectors: finding(faces) })
  t.same(boxes.codes, { 'b.mkv': 'ERR_OUTPUT_DISK_FULL' })
  t.same(filesOf(), before)

  const report = join(disk, 'report.json')
  const out = join(folder, 'out')
  const reported = await run([black, still], out, { report, detectors: finding(faces) })
  t.same(reported.codes, { 'report.json': 'ERR_OUTPUT_DISK_FULL' })
  t.equal(reported.outcome.anonymized, 2, 'what it was to tell of is done')
  t.same(filesOf(), before)
})

if (mounted) execFileSync('umount', [disk])

function mount(size: string): boolean {
  mkdirSync(disk, { recursive: true })
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
