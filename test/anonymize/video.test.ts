import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { FrameRecord } from '../../src/anonymize/record.ts'
import { STYLES } from '../../src/privacy/redact.ts'
import type { Detectors } from '../../src/privacy/search.ts'
import { SCENE_FILE, hiddenShare, mustBeHidden, trueBox, truth } from '../support/scene.ts'
import { damage, ffmpeg, frameTimes, probe, run } from './files.ts'
import { detectorsOf } from '../support/detectors.ts'

const folder = t.testdir()
const FROM = 9
const FRAMES = 8

interface VideoReport {
  readonly inputs: readonly { readonly keptPlates: number; readonly frames: readonly FrameRecord[] }[]
}

/** A network that finds a face at these places in the second search only, which sees it mirrored. */
function seeing(x: () => number | undefined): Detectors {
  return detectorsOf(async (_, __, scale) => {
    // The size at which it looks at small pictures.
    const at = scale === 1.5 ? x() : undefined
    return at === undefined ? [] : [{ kind: 'face', box: { x: at, y: 0.4, w: 0.1, h: 0.1 }, score: 0.9 }]
  })
}

/** A second of the built-in scene, with everything around it that may tell more than its pictures. */
function talkativeClip(): string {
  const file = join(folder, 'clip.mov')
  const tags = join(folder, 'tags.txt')
  writeFileSync(
    tags,
    ';FFMETADATA1\ntitle=secret\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=secret\n',
  )
  const subtitles = join(folder, 'said.srt')
  writeFileSync(subtitles, '1\n00:00:00,000 --> 00:00:00,500\nsecret\n')
  ffmpeg(
    ...['-ss', String(FROM), '-i', SCENE_FILE, '-f', 'lavfi', '-i', 'sine=d=1', '-i', tags, '-i', subtitles],
    ...[
      '-map',
      '0:v',
      '-map',
      '1:a',
      '-map',
      '3:s',
      '-map_metadata',
      '2',
      '-map_chapters',
      '2',
      '-frames:v',
      String(FRAMES),
    ],
    ...[
      '-metadata',
      'location=+51.5-000.1/',
      '-c:v',
      'libx264',
      '-preset',
      'veryfast',
      '-crf',
      '16',
      '-c:s',
      'mov_text',
      file,
    ],
  )
  return file
}

await t.test(
  'a video keeps its pictures and times, hides what must be hidden, keeps one plate, and loses everything else',
  async (t) => {
    const clip = talkativeClip()
    const before = probe(clip)
    t.ok(
      before.streams.length >= 3 &&
        before.chapters.length === 1 &&
        before.format.tags?.['title'] === 'secret',
    )
    const out = join(folder, 'out')
    const report = join(folder, 'report.json')
    const car = truth.frames
      .find(({ t: at }) => at >= FROM)
      ?.objects.find(({ id }) => id === truth.violation.vehicle)
    const [x = 0, y = 0, w = 0, h = 0] = car?.box ?? []
    const { codes, outcome } = await run([clip], out, {
      report,
      options: { keptVehicle: { box: { x, y, w, h } } },
    })
    t.same(codes, {})
    t.equal(outcome.frames, FRAMES)

    const made = join(out, 'clip.mov.mp4')
    const after = probe(made)
    t.same(
      after.streams.map(({ codec_type: type, width, height }) => [type, width, height]),
      [['video', 1920, 1080]],
    )
    t.same(after.chapters, [])
    t.same(Object.keys(after.format.tags ?? {}).sort(), ['compatible_brands', 'major_brand', 'minor_version'])
    const bytes = readFileSync(made)
    for (const word of ['secret', '+51.5']) t.notOk(bytes.includes(word), word)
    t.same(frameTimes(made), frameTimes(clip))

    const { inputs } = JSON.parse(readFileSync(report, 'utf8')) as VideoReport
    const records = inputs[0]?.frames ?? []
    t.equal(records.length, FRAMES)
    for (const { seconds, regions, frame } of records) {
      t.equal(seconds, frame / 10)
      const boxes = regions.map(({ box }) => ({
        box: { x: box.x / 1920, y: box.y / 1080, w: box.width / 1920, h: box.height / 1080 },
      }))
      for (const object of mustBeHidden(FROM + seconds)) {
        t.ok(hiddenShare(trueBox(object), boxes) > 0.9, `${object.id} at ${FROM + seconds} s`)
      }
    }
    t.ok((inputs[0]?.keptPlates ?? 0) > FRAMES / 2, "the one vehicle's plate can be read")
    t.same(readdirSync(join(out, '.roadveil-anonymize')).sort(), ['clip.mov.mp4.json', 'clip.mov.mp4.jsonl'])
  },
)

await t.test('times are kept as they are, sides may be odd, and a turned video is upright', async (t) => {
  const uneven = join(folder, 'uneven.mkv')
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=161x121:rate=25:duration=2,format=bgr0']
  const gaps = [
    '-vf',
    "select='not(eq(mod(n,5),3))*not(between(n,20,31))'",
    '-fps_mode',
    'vfr',
    '-enc_time_base',
    '-1',
  ]
  ffmpeg(...source, ...gaps, '-c:v', 'ffv1', uneven)
  const upright = join(folder, 'upright.mp4')
  const turned = join(folder, 'turned.mp4')
  ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10:duration=1', '-c:v', 'libx264', upright)
  ffmpeg('-i', upright, '-c', 'copy', '-metadata:s:v', 'rotate=90', turned)

  const out = join(folder, 'sizes')
  t.same((await run([uneven, turned], out)).codes, {})
  const times = frameTimes(uneven)
  const steps = new Set(times.map((time, i) => time - (times[i - 1] ?? 0)))
  t.ok(steps.size > 2, 'it is uneven')
  t.same(frameTimes(join(out, 'uneven.mkv.mp4')), times)
  t.match(probe(join(out, 'uneven.mkv.mp4')).streams, [{ width: 162, height: 122 }])
  t.match(probe(join(out, 'turned.mp4')).streams, [{ width: 120, height: 160 }])
})

await t.test(
  'what is found in the finished video is hidden in a second one, and found again there, none is left',
  async (t) => {
    const clip = join(folder, 'small.mkv')
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=3', '-c:v', 'libx264', clip)
    const [out, report] = [join(folder, 'repaired'), join(folder, 'repaired.json')]
    // Not in the rehearsal, which searches five frames, the last one among them.
    let looks = 0
    await run([clip], out, { report, detectors: seeing(() => (looks++ < 5 ? undefined : 0.2)) })
    const { inputs } = JSON.parse(readFileSync(report, 'utf8')) as VideoReport
    t.match(inputs[0], { verification: { checkedFrames: 5, repairedFrames: 5 } })
    const open = inputs[0]?.frames.filter(
      ({ regions }) => !regions.some(({ box: { x, y, width } }) => x < 224 && x + width > 256 && y < 96),
    )
    t.same(
      open?.map(({ frame }) => frame).filter((frame) => frame % 24 === 1),
      [],
      'hidden where it was found',
    )
    t.ok((open?.length ?? Infinity) < 40, 'and followed from there')

    looks = 0
    const wandering = await run([clip], join(folder, 'wandering'), {
      detectors: seeing(() => (looks++ < 5 ? undefined : (looks * 0.23) % 0.9)),
    })
    t.same(wandering.codes, { 'small.mkv': 'ERR_REDACTION_UNVERIFIED' })
    t.same(readdirSync(join(folder, 'wandering'), { recursive: true }), ['.roadveil-anonymize'])
  },
)

await t.test(
  'what stands where a rehearsal finds it is hidden in every frame of the only rendering',
  async (t) => {
    const clip = join(folder, 'standing.mkv')
    ffmpeg('-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=25:duration=3', '-c:v', 'libx264', clip)
    const [out, report] = [join(folder, 'rehearsed'), join(folder, 'rehearsed.json')]
    await run([clip], out, { report, detectors: seeing(() => 0.2) })
    const { inputs } = JSON.parse(readFileSync(report, 'utf8')) as VideoReport
    t.match(inputs[0], { verification: { checkedFrames: 5, repairedFrames: 0 } })
    for (const { frame, regions } of inputs[0]?.frames ?? []) {
      const isHidden = regions.some(({ box: { x, y, width } }) => x <= 224 && x + width >= 256 && y <= 96)
      t.ok(isHidden, `frame ${frame}`)
    }
  },
)

await t.test('every style hides in a video, and a preview draws on it', async (t) => {
  const clip = join(folder, 'striped.mkv')
  // Lines of one pixel, which no player could show where something was drawn over them.
  const lines = "geq=lum='255*mod(X,2)':cb=40:cr=220"
  ffmpeg('-f', 'lavfi', '-i', `color=size=320x240:rate=10:duration=0.5,${lines}`, '-c:v', 'ffv1', clip)
  for (const style of STYLES) {
    const out = join(folder, `styled-${style}`)
    await run([clip], out, { options: { style, preview: true }, detectors: seeing(() => 0.2) })
    const made = join(out, 'striped.mkv.mp4')
    const planes = ffmpeg('-i', made, '-frames:v', '1', '-f', 'rawvideo', '-pix_fmt', 'yuv444p', 'pipe:1')
    const row = (y: number, from: number, to: number): Buffer => planes.subarray(y * 320 + from, y * 320 + to)
    const contrast = (values: Buffer): number => Math.max(...values) - Math.min(...values)
    t.ok(contrast(row(200, 20, 100)) > 200, `${style}: lines elsewhere`)
    t.ok(contrast(row(112, 236, 248)) < 64, `${style}: none where something was found`)
    const red = planes.subarray(2 * 320 * 240 + 112 * 320 + 236, 2 * 320 * 240 + 112 * 320 + 248)
    const expected = style === 'solid' ? 128 : 224
    t.ok(
      red.every((value) => Math.abs(value - expected) < 8),
      `${style}: ${red[0]}`,
    )
  }
})

await t.test('of a recording that was cut off, everything before the damaged picture is done', async (t) => {
  const source = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=10:duration=4,noise=alls=20']
  const whole = join(folder, 'whole.ts')
  ffmpeg(...source, '-c:v', 'libx264', '-g', '10', '-bf', '0', whole)
  const fragments = ['-c', 'copy', '-movflags', '+frag_keyframe+empty_moov']
  ffmpeg('-i', whole, ...fragments, join(folder, 'whole.mp4'))
  ffmpeg('-i', whole, '-c', 'copy', join(folder, 'whole.mkv'))
  const out = join(folder, 'cut-off')
  for (const ending of ['ts', 'mp4', 'mkv']) {
    const bytes = readFileSync(join(folder, `whole.${ending}`))
    const cut = join(folder, `cut, off.${ending}`)
    writeFileSync(cut, bytes.subarray(0, bytes.length * 0.63))
    t.same((await run([cut], out, { detectors: seeing(() => undefined) })).codes, {}, ending)
    const made = frameTimes(join(out, ending === 'mp4' ? 'cut, off.mp4' : `cut, off.${ending}.mp4`))
    t.ok(made.length > 20 && made.length < 30, `${ending}: ${made.length} frames`)
    t.same(made, frameTimes(whole).slice(0, made.length))

    damage(bytes.subarray(0, bytes.length * 0.63), cut, 0.5, 0.55)
    const code = 'ERR_INPUT_UNREADABLE'
    t.same(
      Object.values((await run([cut], join(folder, `damaged-${ending}`))).codes),
      [code],
      `${ending}: damaged before`,
    )
  }
})

await t.test('stopping in the middle of a video leaves nothing of it', async (t) => {
  const long = join(folder, 'long.mkv')
  ffmpeg(
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=320x240:rate=25:duration=60',
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    long,
  )
  const out = join(folder, 'stopped')
  const stop = new AbortController()
  const running = run([long], out, { signal: stop.signal })
  setTimeout(() => stop.abort(), 1_500)
  await t.rejects(running, { code: 'ERR_ANONYMIZE_STOPPED' })
  t.same(readdirSync(out, { recursive: true }), ['.roadveil-anonymize'])
})
