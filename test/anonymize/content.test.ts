import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import { ffmpeg, halves, run } from './files.ts'

const folder = t.testdir({ in: {}, named: {} })
const put = (name: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder, name), bytes)
  return join(folder, name)
}
const wide = halves(80, 40, '#ff0000', '#00ff00')
const turned = wide.clone().withMetadata({ orientation: 6 })
const ftyp = (brand: string): Buffer =>
  Buffer.concat([Buffer.from('\0\0\0\x18ftyp' + brand), Buffer.alloc(64)])

await t.test(
  'a picture that is named is known by what is in it, and comes out upright in its format',
  async (t) => {
    const out = join(folder, 'out')
    const inputs = [
      put('named/jpeg', await turned.clone().jpeg({ quality: 95 }).toBuffer()),
      put('named/web.webp', await turned.clone().webp().toBuffer()),
      put('named/clip.mp4', await turned.clone().png().toBuffer()),
      put('named/wrong.jpg', await turned.clone().webp().toBuffer()),
    ]
    const { codes, outcome } = await run(inputs, out)
    t.same(codes, {})
    t.equal(outcome.frames, 4)
    const made = { 'jpeg.jpeg': 'jpeg', 'web.webp': 'webp', 'clip.mp4.png': 'png', 'wrong.jpg': 'webp' }
    for (const [name, format] of Object.entries(made)) {
      const file = join(out, name)
      t.match(await sharp(file).metadata(), { format, width: 40, height: 80 }, name)
      const { data } = await sharp(file).raw().toBuffer({ resolveWithObject: true })
      t.ok((data[0] ?? 0) > 200 && (data[1] ?? 255) < 60, `${name}: what was left is at the top`)
      t.notOk((await sharp(file).metadata()).exif, name)
    }
  },
)

await t.test('a picture that is not redacted here says what to make of it', async (t) => {
  const frames = Array.from({ length: 2 }, (_, i) =>
    halves(16, 16, i ? 'red' : 'blue', 'green')
      .png()
      .toBuffer(),
  )
  const animated = await sharp(await Promise.all(frames), { join: { animated: true } })
    .webp()
    .toBuffer()
  const bmp = join(folder, 'named/bitmap')
  ffmpeg('-f', 'lavfi', '-i', 'color=size=16x16', '-frames:v', '1', '-c:v', 'bmp', '-f', 'image2', bmp)
  const inputs = [
    put('named/moving.webp', animated),
    put('named/scan.tif', await wide.clone().tiff().toBuffer()),
    put('named/photo.heic', ftyp('heic')),
    put('named/photo.jpg', ftyp('avif')),
    bmp,
  ]
  const { codes } = await run(inputs, join(folder, 'refused'))
  t.same(codes, {
    'moving.webp': 'ERR_INPUT_ANIMATED',
    'scan.tif': 'ERR_INPUT_FORMAT',
    'photo.heic': 'ERR_INPUT_FORMAT',
    'photo.jpg': 'ERR_INPUT_FORMAT',
    bitmap: 'ERR_INPUT_FORMAT',
  })
})

await t.test('the report names what was left out of a folder', async (t) => {
  mkdirSync(join(folder, 'in/.hidden'))
  put('in/a.webp', await wide.clone().webp().toBuffer())
  put('in/photo.heic', 'x')
  put('in/.hidden/b.jpg', 'x')
  const report = join(folder, 'report.json')
  const { outcome } = await run([join(folder, 'in')], join(folder, 'left-out'), { report })
  t.match(outcome, { anonymized: 1, leftOut: 2, failures: [] })
  const { leftOut } = JSON.parse(readFileSync(report, 'utf8')) as { leftOut: string[] }
  t.same(
    leftOut.map((name) => name.slice(name.indexOf('/in/'))),
    ['/in/.hidden/', '/in/photo.heic'],
  )
})
