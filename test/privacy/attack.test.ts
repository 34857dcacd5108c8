import t, { type Test } from 'tap'
import { type RawVideoFrame, type RedactedVideoFrame, rawVideoFrame } from '../../src/domain/frame.ts'
import { redactedRgb } from '../../src/domain/rgb.ts'
import { encodeJpeg } from '../../src/evidence/still.ts'
import { STYLES, type Style, redactFrame, redactVideoFrame } from '../../src/privacy/redact.ts'
import { type Patch, type Picture, blur } from './attack-images.ts'
import { SIZES, lasting, match } from './attack-matching.ts'
import { SINGLES, attackPlates, likelihood, score } from './attack-plates.ts'
import { type Target, attackScene } from './attack-scene.ts'
import { VIEWS, asStill, encodeClip, lookThrough, mosaic, redraw, regionsOf } from './attack-views.ts'
import { chanceOf } from './chance.ts'
import { asVideo } from '../support/as-video.ts'

/**
 * An attacker who knows where every plate and face was, and has everything that Roadveil gives away: that is what is simulated
 * here. The places are the true ones, so that a detector that misses nothing is taken for granted: it is irreversibility that
 * is tested. Chance is measured in the same run, and controls show that the same attacks win where they can.
 */

/** All readings together beat chance by accident in one run of a thousand, and so do all comparisons: each gets its part of it. */
const SIGNIFICANCE = 0.001

const { frames, targets } = attackScene()
const plates = targets.filter(({ kind }) => kind === 'plate')
const faces = targets.filter(({ kind }) => kind === 'face')
const everyFrame = [...frames.keys()]

const video = frames.map(asVideo)

function hideAll(style: Style, from: readonly RawVideoFrame[] = video): RedactedVideoFrame[] {
  return from.map((frame, i) => redactVideoFrame(frame, regionsOf(frame, i, targets), { style }))
}

/** As Roadveil would give it out if there were nothing to be hidden. */
function open(frame: RawVideoFrame): RedactedVideoFrame {
  return redactVideoFrame(frame, [])
}

/** A blur such as others take for redaction; letters are 11 pixels wide. */
const WEAK_SIGMA = 2

function isFarFromChance(right: number, { length }: readonly Target[]): boolean {
  return chanceOf(Math.floor(right), length, 1 / length) < SIGNIFICANCE / 1000
}

await t.test('the attacks read plates and know faces that are not hidden', async (t) => {
  const pictures = await lookThrough('clip', video.map(open))
  const scores = (await attackPlates(plates, pictures, everyFrame)).map((attack) => score(attack, plates))
  const [asTheyAre, mean] = scores
  const share = ({ right, all }: { right: number; all: number } = { right: 0, all: 1 }): number => right / all
  t.ok(share(asTheyAre) > 0.4, 'letter by letter from frames')
  t.ok(share(mean) > 0.4, 'letter by letter from the mean of frames')
  t.ok(Math.max(...scores.map(share)) > 0.6, 'most letters by the best attack')
  t.ok((asTheyAre?.exact ?? 0) > plates.length, 'and as whole texts')
  for (const kind of ['plate', 'face'] as const) {
    const wanted = lasting(kind === 'plate' ? plates : faces)
    const right = Math.max(...SIZES[kind].map((size) => match(wanted, frames, pictures, size)))
    t.ok(isFarFromChance(right, wanted), `${right} of ${wanted.length} are known again: ${kind}`)
  }
})

await t.test('the attacks read plates and know faces that are only blurred', async (t) => {
  const pictures = await lookThrough(
    'clip',
    frames.map((frame, i) => open(asVideo(redraw(frame, i, targets, (patch) => blur(patch, WEAK_SIGMA))))),
  )
  const scores = (await attackPlates(plates, pictures, everyFrame)).map((attack) => score(attack, plates))
  const surest = Math.min(...scores.map(likelihood))
  t.ok(surest < SIGNIFICANCE / 100, `more letters are right than by chance: ${surest}`)
  for (const [kind, wanted] of [
    ['plate', lasting(plates)],
    ['face', lasting(faces)],
  ] as const) {
    const right = Math.max(...SIZES[kind].map((size) => match(wanted, frames, pictures, size)))
    t.ok(isFarFromChance(right, wanted), `${right} of ${wanted.length} are known again: ${kind}`)
  }
})

await t.test('the attacks know faces again behind a mosaic of their own colours', async (t) => {
  const pictures = await lookThrough(
    'clip',
    frames.map((frame, i) => open(asVideo(redraw(frame, i, targets, mosaic)))),
  )
  const right = Math.max(...SIZES.face.map((size) => match(lasting(faces), frames, pictures, size)))
  t.ok(isFarFromChance(right, lasting(faces)), `${right} of ${faces.length} are known again`)
})

const inverted = ({ values, ...size }: Patch): Patch => ({
  ...size,
  values: values.map((value) => 255 - value),
})

function pixelsOf(hidden: readonly RedactedVideoFrame[]): Uint8Array[] {
  return hidden.map(({ planes }) => planes)
}

function areSame(some: readonly Uint8Array[] = [], others: readonly Uint8Array[] = []): boolean {
  return some.length > 0 && Buffer.compare(Buffer.concat(some), Buffer.concat(others)) === 0
}

await t.test('what is given out is the same, byte for byte, whatever plates and faces show', async (t) => {
  const others = frames.map((frame, i) => asVideo(redraw(frame, i, targets, inverted)))
  const [some, same] = [hideAll('solid'), hideAll('solid', others)]
  t.ok(areSame(pixelsOf(some), pixelsOf(same)), 'every picture')
  const stills = (hidden: readonly RedactedVideoFrame[]): Promise<Uint8Array[]> =>
    Promise.all(SINGLES.flatMap((i) => hidden[i] ?? []).map((frame) => encodeJpeg(redactedRgb(frame))))
  t.ok(areSame(await stills(some), await stills(same)), 'the stills')
  t.ok(areSame([await encodeClip(some)], [await encodeClip(same)]), 'the clip')

  for (const style of ['pixelate', 'blur'] as const) {
    // Outside of the regions, that is: in them there is noise.
    const outside = (from: readonly RawVideoFrame[]): RedactedVideoFrame[] =>
      hideAll(style, from).map((hidden, i) => {
        const { sequence, cameraId } = frames[i] ?? { sequence: 0, cameraId: '' }
        const frame = rawVideoFrame({ sequence, cameraId, ...hidden })
        return redactVideoFrame(frame, regionsOf(frame, i, targets))
      })
    const [a, b] = [video, others].map((from) => pixelsOf(outside(from.slice(0, 2))))
    t.ok(areSame(a, b), `${style} leaves nothing around`)
  }
})

/** With those on pictures that are no evidence. */
const ATTACKS = STYLES.length * (VIEWS.length + 1)

/** Nothing that is seen in the pictures, one a frame, is more than chance. */
async function expectChance(
  t: Test,
  pictures: readonly Picture[],
  { view, moments }: { readonly view: string; readonly moments: readonly number[] },
): Promise<void> {
  const attacks = await attackPlates(plates, pictures, moments)
  for (const attack of attacks) {
    const found = score(attack, plates)
    const likely = likelihood(found)
    const told = `${found.right} of ${found.all} letters right, ${(100 * found.chance).toFixed(1)} % by chance`
    t.equal(found.exact, 0, `no plate is read: ${view}, ${attack.name}`)
    t.ok(likely > SIGNIFICANCE / ATTACKS / attacks.length, `${view}, ${attack.name}: ${told}`)
  }
  for (const kind of ['plate', 'face'] as const) {
    const wanted = lasting(kind === 'plate' ? plates : faces)
    for (const size of SIZES[kind]) {
      const right = match(wanted, frames, pictures, size)
      const likely = chanceOf(Math.floor(right), wanted.length, 1 / wanted.length)
      t.ok(
        likely > SIGNIFICANCE / ATTACKS / (2 * SIZES[kind].length),
        `${view}, ${right.toFixed(1)} of ${wanted.length} known again at ${size.join('x')}: ${kind}`,
      )
    }
  }
}

for (const style of STYLES) {
  await t.test(`nobody reads or knows again what ${style} hides`, async (t) => {
    const hidden = hideAll(style)
    for (const view of VIEWS) {
      // A city gets a clip of all frames, and a still or a plate picture of few.
      const moments = view === 'clip' ? everyFrame : SINGLES
      await expectChance(t, await lookThrough(view, hidden), { view, moments })
    }
  })

  await t.test(`nor what ${style} hides in a picture that is not evidence`, async (t) => {
    const images = frames.map((frame, i) => redactFrame(frame, regionsOf(frame, i, targets), { style }))
    await expectChance(t, await Promise.all(images.map(asStill)), { view: 'picture', moments: SINGLES })
  })
}
