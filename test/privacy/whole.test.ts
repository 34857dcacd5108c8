import t from 'tap'
import type { Box } from '../../src/domain/geometry.ts'
import { chainBoxes } from '../../src/privacy/chain.ts'
import { wholeBoxAt } from '../../src/privacy/whole.ts'

const box = (x: number, y: number, w: number, h: number): Box => ({ x, y, w, h })

/** What is left of a box in the picture. */
function visible({ x, y, w, h }: Box): Box {
  const [left, top] = [Math.max(0, x), Math.max(0, y)]
  return { x: left, y: top, w: Math.min(1, x + w) - left, h: Math.min(1, y + h) - top }
}

const rounded = (place: Box | undefined): number[] | undefined =>
  place && [place.x, place.y, place.w, place.h].map((value) => Math.round(1e6 * value) / 1e6)

for (const [edge, places] of Object.entries({
  bottom: [box(0.4, 0.85, 0.2, 0.3), box(0.4, 0.69, 0.2, 0.3), box(0.4, 0.55, 0.2, 0.3)],
  top: [box(0.4, -0.1, 0.1, 0.2), box(0.4, 0.02, 0.1, 0.2)],
  left: [box(-0.05, 0.4, 0.2, 0.2), box(0.02, 0.4, 0.2, 0.2)],
  right: [box(0.9, 0.4, 0.2, 0.2), box(0.78, 0.4, 0.2, 0.2)],
  corner: [box(0.84, 0.84, 0.2, 0.2), box(0.78, 0.78, 0.2, 0.2)],
})) {
  await t.test(`what the ${edge} of the picture cuts off is known from other frames`, async (t) => {
    const [chain] = chainBoxes(places.map((place) => [{ box: visible(place) }]))
    t.equal(chain?.sightings.length, places.length)
    places.forEach((place, index) =>
      t.strictSame(rounded(chain && wholeBoxAt(chain, index, 0)), rounded(place)),
    )
  })
}

await t.test('it grows with what is left of it', async (t) => {
  const [chain] = chainBoxes([[{ box: box(0.4, 0.6, 0.2, 0.3) }], [{ box: box(0.4, 0.8, 0.24, 0.2) }]])
  t.strictSame(rounded(chain && wholeBoxAt(chain, 1, 0)), [0.4, 0.8, 0.24, 0.36])
})

await t.test('in a corner it is at least as large as before one edge less cut it', async (t) => {
  const [chain] = chainBoxes([
    [{ box: box(0.5, 0.5, 0.2, 0.3) }],
    [{ box: box(0.6, 0.64, 0.24, 0.35) }],
    [{ box: box(0.78, 0.78, 0.22, 0.22) }],
  ])
  t.strictSame(rounded(chain && wholeBoxAt(chain, 2, 0)), [0.78, 0.78, 0.24, 0.36])
})

await t.test('what is never seen whole is as it is seen, and what is not known stays so', async (t) => {
  const cut = box(0.4, 0.8, 0.2, 0.2)
  const [chain] = chainBoxes([[{ box: cut }], [{ box: cut }]])
  t.strictSame(chain && wholeBoxAt(chain, 0, 0), cut)
  t.equal(chain && wholeBoxAt(chain, 5, 0), undefined)
})
