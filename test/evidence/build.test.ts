import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import sharp from 'sharp'
import t from 'tap'
import { evidenceFactsSchema } from '../../src/domain/evidence.ts'
import { buildEvidence } from '../../src/evidence/build.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import { databarRows } from '../../src/evidence/databar.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import { SUSPECTED } from '../../src/privacy/verify.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { hiddenShare, mustBeHidden, trueBox, truth } from '../support/scene.ts'
import { sceneRequest, T0 } from './scene-request.ts'

const openDeps = async (): Promise<EvidenceDeps> => openEvidenceNetworks(await loadModelSource())

await t.test('the evidence of the built-in scene', async (t) => {
  const deps = await openDeps()
  const evidence = await buildEvidence(
    sceneRequest({ from: T0 + 6_000, to: T0 + 10_000 }),
    deps,
    AbortSignal.timeout(500_000),
  )
  const { facts, files } = evidence
  const file = (name: string): Uint8Array =>
    files.find((other) => other.name === name)?.bytes ?? new Uint8Array()

  t.ok(evidenceFactsSchema.safeParse(facts).success, 'its facts keep to the published schema')
  t.equal(facts.plate.text, truth.violation.plateText, "reads the offender's plate")
  t.same(
    facts.files.map(({ sha256 }) => sha256),
    files.map(({ bytes }) => createHash('sha256').update(bytes).digest('hex')),
    'names the hash of every file',
  )
  const text = JSON.stringify(facts)
  for (const plate of truth.bystanderPlates) t.notOk(text.includes(plate), "names no bystander's plate")

  const uncovered = facts.clip.frames.flatMap(({ capturedAt, regions }) => {
    const seconds = (Date.parse(capturedAt) - T0) / 1000
    return mustBeHidden(seconds)
      .filter((object) => hiddenShare(trueBox(object), regions) < 0.9)
      .map(({ id }) => `${id} at ${seconds}`)
  })
  t.same(uncovered, [], "hides every face and every bystander's plate in every frame")

  const kept = facts.clip.frames.filter(({ capturedAt, regions }) => {
    const seconds = (Date.parse(capturedAt) - T0) / 1000
    const plate = truth.frames[Math.round(seconds * truth.fps)]?.objects.find(
      ({ id, cls }) => cls === 'plate' && id.startsWith(truth.violation.vehicle),
    )
    return plate && hiddenShare(trueBox(plate), regions) < 0.1
  })
  t.ok(
    kept.length >= 0.9 * facts.clip.frames.length,
    "leaves the offender's plate readable in nine of ten frames and more",
  )
  const masked = facts.clip.frames.map(({ regions }) => hiddenShare({ x: 0, y: 0, w: 1, h: 1 }, regions))
  t.ok(Math.max(...masked.filter((_, i) => i % 6 === 0)) < 0.06, 'leaves the rest of the picture alone')

  const crop = facts.plate.crop
  t.equal(
    facts.plate.votes.find(({ frameNumber }) => frameNumber === crop?.frameNumber)?.text,
    truth.violation.plateText,
  )
  t.same(
    facts.pictures.map((picture) => picture.file),
    ['before.jpg', 'during.jpg', 'after.jpg'],
  )
  for (const { file: name, regions } of facts.pictures) {
    const metadata = await sharp(file(name)).metadata()
    t.equal(metadata.height, truth.height + databarRows(truth.width), `${name} has a databar`)
    t.notOk(metadata.exif ?? metadata.xmp ?? metadata.icc, `${name} has no metadata`)
    for (const { box } of regions) {
      const part = {
        left: Math.ceil(box.x * truth.width) + 8,
        top: Math.ceil(box.y * truth.height) + 8,
        width: Math.floor(box.w * truth.width) - 16,
        height: Math.floor(box.h * truth.height) - 16,
      }
      if (part.width < 2 || part.height < 2) continue
      const { channels } = await sharp(await sharp(file(name)).extract(part).png().toBuffer()).stats()
      for (const { stdev } of channels) t.ok(stdev < 6, `nothing is left in a hidden part of ${name}`)
    }
  }

  const directory = t.testdir()
  writeFileSync(`${directory}/clip.mp4`, file('clip.mp4'))
  const probe = execFileSync('ffprobe', [
    ...[
      '-v',
      'error',
      '-count_frames',
      '-show_entries',
      'stream=codec_name,nb_read_frames,codec_type:format_tags',
    ],
    ...['-of', 'json', `${directory}/clip.mp4`],
  ])
  const { streams } = JSON.parse(probe.toString()) as {
    streams: { codec_name: string; nb_read_frames: string }[]
  }
  t.same(
    streams.map(({ codec_name, nb_read_frames }) => [codec_name, Number(nb_read_frames)]),
    [['h264', facts.clip.frames.length]],
    'the clip is one H.264 stream with all its frames and nothing else',
  )
})

type Detect = EvidenceDeps['detectors']['regions']['detect']

/** Networks that find no face and no plate at first, nor in the rehearsal: only the search of the finished pictures does. */
function blindAtFirst(deps: EvidenceDeps, later: Detect): EvidenceDeps {
  const detect: Detect = async (frame, part, scale, minScores) =>
    Math.abs(scale - 2 / 3) < 0.01 && minScores.face !== SUSPECTED.face
      ? later(frame, part, scale, minScores)
      : []
  return { ...deps, detectors: { ...deps.detectors, regions: { detect } } }
}

await t.test('what the first search missed is found in the finished pictures', async (t) => {
  const deps = await openDeps()
  const span = { from: T0 + 8_400, to: T0 + 9_600 }
  const sees: Detect = (...args) => deps.detectors.regions.detect(...args)
  const { facts } = await buildEvidence(
    sceneRequest(span),
    blindAtFirst(deps, sees),
    AbortSignal.timeout(500_000),
  )
  t.ok(facts.verification.repairedFrames > 0)
  t.ok(facts.verification.checkedFrames >= 5, 'clip and stills')
  const hidden = facts.clip.frames.flatMap(({ regions }) => regions.filter(({ kind }) => kind === 'plate'))
  t.ok(hidden.length > 0, 'and hidden')

  let at = 0
  // A face that is somewhere else each time cannot be hidden.
  const moving: Detect = async () => {
    const box = { x: (at++ * 0.37) % 0.9, y: (at * 0.23) % 0.9, w: 0.05, h: 0.05 }
    return [{ kind: 'face', box, score: 0.9 }]
  }
  await t.rejects(
    buildEvidence(sceneRequest(span), blindAtFirst(deps, moving), AbortSignal.timeout(500_000)),
    { code: 'ERR_REDACTION_UNVERIFIED' },
    'what is found twice is not kept',
  )
})

await t.test('fails closed', async (t) => {
  const deps = await openDeps()
  const span = { from: T0 + 8_000, to: T0 + 9_000 }
  let calls = 0
  const flaky: EvidenceDeps = {
    ...deps,
    detectors: {
      ...deps.detectors,
      regions: {
        async detect(...args) {
          if (++calls === 7) throw new Error('out of memory')
          return deps.detectors.regions.detect(...args)
        },
      },
    },
  }
  await t.rejects(
    buildEvidence(sceneRequest(span), flaky, AbortSignal.timeout(500_000)),
    { code: 'ERR_REDACTION_UNCHECKED' },
    'when one network fails on one frame, nothing is kept',
  )
  const short = sceneRequest({ from: T0 + 17_500, to: T0 + 20_000 })
  await t.rejects(
    buildEvidence(short, deps, AbortSignal.timeout(500_000)),
    { code: 'ERR_EVIDENCE_INCOMPLETE' },
    'when most of the video is missing, nothing is kept',
  )
})
