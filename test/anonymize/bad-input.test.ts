import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { blackPng, chunk, damage, ffmpeg, halves, run } from './files.ts'

const folder = t.testdir({ in: {}, odd: {} })
const put = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(folder, name), bytes)
const grain = { type: 'gaussian', mean: 128, sigma: 40 } as const
const noise = sharp({ create: { width: 320, height: 240, channels: 3, background: 'grey', noise: grain } })
const jpeg = await noise.clone().jpeg().toBuffer()
const png = await noise.clone().png().toBuffer()
const filesOf = (out: string): string[] =>
  readdirSync(out, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [entry.name] : [],
  )

await t.test(
  'whatever is wrong with an input, it gets its code, leaves nothing, and the rest goes on',
  async (t) => {
    const video = join(folder, 'video.mkv')
    const noisy = 'nullsrc=size=320x240:rate=10:duration=3,geq=random(1)*255:128:128'
    ffmpeg('-f', 'lavfi', '-i', noisy, '-c:v', 'libx264', '-g', '10', video)
    const bytes = readFileSync(video)

    put('in/a-truncated.jpg', jpeg.subarray(0, jpeg.length * 0.6))
    put('in/b-truncated.png', png.subarray(0, png.length * 0.6))
    put('in/c-text.jpg', 'not a picture\n')
    put('in/d-empty.png', '')
    put('in/e-bomb.png', blackPng(16_384, 16_384))
    put('in/f-animated.png', blackPng(8, 8, [chunk('acTL', Buffer.from('0000000200000000', 'hex'))]))
    put('in/g-gif.png', await halves(8, 8, 'red', 'blue').gif().toBuffer())
    put('in/h-text.mp4', 'not a video\n')
    damage(bytes, join(folder, 'in/i-damaged.mkv'), 0.5, 0.55)
    put('in/j-sound.mp4', ffmpeg('-f', 'lavfi', '-i', 'sine=d=1', '-f', 'adts', '-'))
    put(
      'in/k-bomb.mkv',
      ffmpeg('-f', 'lavfi', '-i', 'color=size=8192x8192:d=0.1', '-c:v', 'ffv1', '-f', 'matroska', '-'),
    )
    put('in/z-good.jpg', jpeg)

    const out = join(folder, 'out')
    const { outcome, codes } = await run([join(folder, 'in'), join(folder, 'gone.jpg')], out)
    t.same(codes, {
      'a-truncated.jpg': 'ERR_INPUT_UNREADABLE',
      'b-truncated.png': 'ERR_INPUT_UNREADABLE',
      'c-text.jpg': 'ERR_INPUT_UNREADABLE',
      'd-empty.png': 'ERR_INPUT_UNREADABLE',
      'e-bomb.png': 'ERR_INPUT_TOO_LARGE',
      'f-animated.png': 'ERR_INPUT_ANIMATED',
      'g-gif.png': 'ERR_INPUT_UNREADABLE',
      'h-text.mp4': 'ERR_INPUT_UNREADABLE',
      'i-damaged.mkv': 'ERR_INPUT_UNREADABLE',
      'j-sound.mp4': 'ERR_INPUT_UNREADABLE',
      'k-bomb.mkv': 'ERR_INPUT_TOO_LARGE',
      'gone.jpg': 'ERR_INPUT_MISSING',
    })
    t.equal(outcome.anonymized, 1)
    t.same(
      filesOf(out).sort(),
      ['z-good.jpg', 'z-good.jpg.json', 'z-good.jpg.jsonl'],
      'nothing else was left',
    )
  },
)

await t.test('a pipe or a device is refused at once, and a link to a file is that file', async (t) => {
  const [pipe, device, link] = ['pipe.mp4', 'device', 'link.jpg'].map((name) => join(folder, name))
  if (!pipe || !device || !link) throw new RangeError('three names')
  execFileSync('mkfifo', [pipe])
  symlinkSync('/dev/zero', device)
  put('linked.jpg', jpeg)
  symlinkSync('linked.jpg', link)
  const { outcome, codes } = await run([pipe, device, '/dev/zero', link], join(folder, 'files-only'))
  const code = 'ERR_INPUT_NOT_A_FILE'
  t.same(codes, { 'pipe.mp4': code, device: code, zero: code })
  t.equal(outcome.anonymized, 1)
})

await t.test('unusual pictures come out right: upright, eight bits, in their format', async (t) => {
  const wide = halves(80, 40, '#ff0000', '#00ff00')
  const clear = sharp({
    create: { width: 80, height: 40, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } },
  })
  put(
    'odd/one.png',
    await sharp({ create: { width: 1, height: 1, channels: 3, background: '#ff0000' } })
      .png()
      .toBuffer(),
  )
  put('odd/cmyk.jpg', await wide.clone().toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer())
  put('odd/deep.png', await wide.clone().toColourspace('rgb16').png().toBuffer())
  put('odd/grey.jpg', await wide.clone().greyscale().jpeg().toBuffer())
  put('odd/clear.png', await clear.png().toBuffer())
  const turned = await wide
    .clone()
    .withMetadata({ orientation: 6 })
    .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
    .toBuffer()
  put('odd/turned.jpg', turned)
  t.match(await sharp(join(folder, 'odd/cmyk.jpg')).metadata(), { space: 'cmyk' })
  t.match(await sharp(join(folder, 'odd/deep.png')).metadata(), { depth: 'ushort' })

  const out = join(folder, 'odd-out')
  const { codes } = await run([join(folder, 'odd')], out)
  t.same(codes, {})
  const colourAt = async (name: string, x: number, y: number): Promise<number[]> => {
    const { data, info } = await sharp(join(out, name)).raw().toBuffer({ resolveWithObject: true })
    return [...data.subarray((y * info.width + x) * info.channels, (y * info.width + x) * info.channels + 3)]
  }
  const isNear = (colour: readonly number[], wanted: readonly number[]): boolean =>
    wanted.every((value, i) => Math.abs(value - (colour[i] ?? NaN)) < 45)
  for (const name of readdirSync(join(folder, 'odd'))) {
    const { format, width, height, depth } = await sharp(join(out, name)).metadata()
    t.match({ format, depth }, { format: name.endsWith('png') ? 'png' : 'jpeg', depth: 'uchar' }, name)
    t.same([width, height], name === 'one.png' ? [1, 1] : name === 'turned.jpg' ? [40, 80] : [80, 40], name)
  }
  t.ok(isNear(await colourAt('cmyk.jpg', 10, 20), [255, 0, 0]), 'CMYK')
  t.ok(isNear(await colourAt('deep.png', 70, 20), [0, 255, 0]), '16 bits')
  t.same(await colourAt('clear.png', 10, 20), [0, 0, 0], 'what cannot be seen is black')
  t.ok(isNear(await colourAt('turned.jpg', 20, 10), [255, 0, 0]), 'what was left is at the top')
  t.ok(isNear(await colourAt('turned.jpg', 20, 70), [0, 255, 0]))
})

await t.test('no metadata survives, and colours are those that the profile meant', async (t) => {
  const secret = 'Elm Street 5'
  const source = join(folder, 'secret.jpg')
  mkdirSync(join(folder, 'secret'))
  await halves(64, 64, '#00ff00', '#00ff00')
    .withExif({
      IFD0: { Copyright: secret, Artist: secret },
      IFD3: { GPSLatitudeRef: 'N', GPSLatitude: '51/1 30/1 0/1' },
    })
    .withXmp(`<x:xmpmeta xmlns:x="adobe:ns:meta/"><a>${secret}</a></x:xmpmeta>`)
    .withIccProfile('p3')
    .jpeg({ quality: 95 })
    .toFile(source)
  // A comment, and another picture behind the end.
  writeFileSync(source, Buffer.concat([readFileSync(source), Buffer.from(secret)]))
  t.ok(readFileSync(source).includes(secret))
  await run([source], join(folder, 'secret'))
  const bytes = readFileSync(join(folder, 'secret/secret.jpg'))
  const { exif, xmp, icc, iptc, orientation } = await sharp(bytes).metadata()
  t.same([exif, xmp, icc, iptc, orientation], [undefined, undefined, undefined, undefined, undefined])
  t.notOk(bytes.includes(secret))
  const [red = 0, green = 0] = await sharp(bytes).raw().toBuffer()
  t.ok(red < 40 && green > 230, `green stays green: ${red}, ${green}`)
})
