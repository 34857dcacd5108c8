import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { anonymize } from '../../src/anonymize/anonymize.ts'
import { searchVideo } from '../../src/anonymize/search-video.ts'
import { decodeVideo, probeVideo } from '../../src/anonymize/video-input.ts'
import { loadModelSource } from '../../src/models/source.ts'
import type { Detectors, RegionFinder } from '../../src/privacy/search.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import { BUILT_IN_CLIP } from '../demo/camera.ts'
import { line } from './line.ts'

/**
 * `roadveil anonymize` on a 1080p video at 25 frames a second, and how that compares with nothing but the networks that search
 * it, on the same frames, measured in the same run.
 */

const SECONDS = Number(process.argv[2] ?? 6)
const folder = mkdtempSync(join(tmpdir(), 'roadveil-bench-'))
const { signal } = new AbortController()
try {
  const clip = join(folder, 'street.mp4')
  const encode = ['-vf', 'fps=25', '-t', String(SECONDS), '-c:v', 'libx264', '-preset', 'veryfast', clip]
  execFileSync('ffmpeg', ['-v', 'error', '-ss', '5', '-i', BUILT_IN_CLIP, ...encode])
  const networks = await openEvidenceNetworks(await loadModelSource())

  const bare = { wall: 0, cpu: 0, searched: 0 }
  const video = await probeVideo(clip, signal)
  const detectors = timed(networks.detectors, bare)
  for await (const { findings } of searchVideo(decodeVideo(video, signal), video, detectors, undefined))
    if (findings) bare.searched++

  const before = { wall: performance.now(), cpu: cpuSeconds() }
  const outcome = await anonymize(
    {
      ...{ inputs: [clip], out: join(folder, 'out'), networks, models: [] },
      options: { style: 'solid', maskOccupants: true, preview: false },
    },
    { onProgress: () => undefined, onResult: () => undefined },
    signal,
  )
  const wall = (performance.now() - before.wall) / 1000
  const cpu = cpuSeconds() - before.cpu
  line('measured', `${SECONDS} s, 1080p at 25 fps, ${outcome.frames} frames, ${bare.searched} searched`)
  line('frames per second', (outcome.frames / wall).toFixed(2))
  line('seconds, and seconds of CPU with ffmpeg', `${wall.toFixed(1)}, ${cpu.toFixed(1)}`)
  line("the networks' part of a bare search", `${bare.wall.toFixed(1)}, ${bare.cpu.toFixed(1)}`)
  line('ratio on the clock, and of CPU', `${(wall / bare.wall).toFixed(2)}, ${(cpu / bare.cpu).toFixed(2)}`)
  line('memory, peak without ffmpeg', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The same networks, with a clock. */
function timed({ objects, regions, fineRegions }: Detectors, sum: { wall: number; cpu: number }): Detectors {
  const measure = async <T>(act: () => Promise<T>): Promise<T> => {
    const before = { wall: performance.now(), cpu: cpuSeconds() }
    const result = await act()
    sum.wall += (performance.now() - before.wall) / 1000
    sum.cpu += cpuSeconds() - before.cpu
    return result
  }
  const timedFinder = (finder: RegionFinder): RegionFinder => ({
    detect: (...look) => measure(() => finder.detect(...look)),
  })
  return {
    objects: { detectIn: (frame, part) => measure(() => objects.detectIn(frame, part)) },
    regions: timedFinder(regions),
    fineRegions: timedFinder(fineRegions),
  }
}

/** Of this process and of the children that have ended. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? []
  // proc(5): cutime and cstime, in hundredths of a second.
  return (user + system) / 1e6 + (Number(fields[13]) + Number(fields[14])) / 100
}
