import t from 'tap'
import { rawFrame, type RawFrame } from '../../src/domain/frame.ts'
import { openShotWatch } from '../../src/privacy/shots.ts'

const [WIDTH, HEIGHT] = [640, 360]

interface Shown {
  readonly shift?: number
  readonly light?: (value: number, at: number) => number
}

/** A picture of patches whose light depends on a seed, as `light` makes of it, `shift` pixels further to the right. */
function picture(seed: number, { shift = 0, light = (value) => value }: Shown = {}): Uint8Array {
  const planes = new Uint8Array(WIDTH * HEIGHT * 3)
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) {
      const patch = Math.floor((x - shift + WIDTH) / 40) * 31 + Math.floor(y / 40) * 17
      planes[y * WIDTH + x] = light(
        40 + ((patch * 97 + seed * 7919 + patch * patch * seed) % 160),
        y * WIDTH + x,
      )
    }
  }
  return planes
}

/** The same with a square of another picture in it. */
function withPart(planes: Uint8Array, other: Uint8Array, side: number, left = 300): Uint8Array {
  const result = planes.slice()
  for (let y = 100; y < 100 + side; y++) {
    const at = y * WIDTH + left
    result.set(other.subarray(at, at + side), at)
  }
  return result
}

async function* at(stepMs: number, pictures: readonly Uint8Array[]): AsyncGenerator<RawFrame> {
  for (const [sequence, planes] of pictures.entries())
    yield rawFrame({
      ...{ cameraId: 'c', sequence, capturedAt: sequence * stepMs, width: WIDTH, height: HEIGHT, planes },
    })
}

const changesOf = async (pictures: readonly Uint8Array[], stepMs = 40): Promise<(string | undefined)[]> =>
  (await Array.fromAsync(openShotWatch().place(at(stepMs, pictures)))).map(({ change }) => change)

await t.test('another picture begins a shot, and the frame before it ends one', async (t) => {
  const [street, other] = [picture(1), picture(2)]
  const placed = await Array.fromAsync(
    openShotWatch().place(at(40, [street, street, other, street, street, street])),
  )
  t.same(
    placed.map(({ change, isLast, nextAt }) => [change, isLast, nextAt]),
    [
      ['start', false, 40],
      [undefined, true, 80],
      ['cut', true, 120],
      ['cut', false, 160],
      [undefined, false, 200],
      [undefined, true, undefined],
    ],
  )
})

await t.test('exposure, noise and what moves a little change nothing', async (t) => {
  const darker = picture(1, { light: (value) => 0.6 * value + 10 })
  const noisy = picture(1, { light: (value, i) => value + ((i * 7919) % 17) - 8 })
  const moved = picture(1, { shift: 6 })
  t.same(await changesOf([picture(1), darker, noisy, moved, picture(1)]), [
    'start',
    ...Array.from({ length: 4 }, () => undefined),
  ])
})

await t.test('what appears in a part of the picture is noticed, and what leaves it', async (t) => {
  const street = picture(1)
  const white = new Uint8Array(street.length).fill(255)
  t.same(await changesOf([street, withPart(street, white, 60), street]), ['start', 'part', 'part'])
  const passing = [0, 8, 16, 24].map((by) => withPart(street, white, 60, 300 + by))
  t.same((await changesOf(passing)).slice(1), [undefined, undefined, undefined], 'not what drives past')
})

await t.test('a picture that fades into another is noticed on the way', async (t) => {
  const [from, to] = [picture(1), picture(2)]
  const steps = [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1]
  const faded = steps.map((share) => from.map((value, i) => value + share * ((to[i] ?? 0) - value)))
  const changes = await changesOf(faded)
  t.ok(changes.slice(1, 6).some(Boolean), changes.join())
})

await t.test('a piece that goes on after another is compared with its end', async (t) => {
  const [street, other] = [picture(1), picture(2)]
  const watch = openShotWatch()
  await Array.fromAsync(watch.place(at(200, [street])))
  const [same] = await Array.fromAsync(watch.place(at(200, [street])))
  t.equal(same?.change, 'start', 'nothing of it was searched yet')
  const [cut] = await Array.fromAsync(watch.place(at(200, [other])))
  t.equal(cut?.change, 'cut')
})
