import t from 'tap'
import {
  type Mask,
  type TrackTally,
  countPicture,
  countTrack,
  emptyTally,
  fromHeight,
} from '../../scripts/evaluate-privacy/tally.ts'
import { linesOf } from '../../scripts/evaluate-privacy/print.ts'
import { emptyTallies } from '../../scripts/evaluate-privacy/result.ts'

const SIZE = { width: 200, height: 100 }

/** A mask in pixels of the picture. */
function mask(x: number, y: number, w: number, h: number, source: Mask['source'] = 'found'): Mask {
  return { source, box: { x: x / 200, y: y / 100, w: w / 200, h: h / 100 } }
}

const object = (kind: string, x: number, y: number, w: number, h: number) => ({ kind, box: { x, y, w, h } })

await t.test('objects are counted by kind and height, and those that are not hidden are named', async (t) => {
  const tally = emptyTally()
  const [small, large, face] = [
    object('plate', 10, 10, 20, 6),
    object('plate', 60, 10, 40, 14),
    object('face', 150, 40, 20, 20),
  ]
  const open = countPicture(
    tally,
    SIZE,
    [small, large, face, object('car', 0, 0, 200, 100)],
    [
      mask(60, 10, 40, 14),
      // Half of the face.
      mask(150, 40, 20, 10),
    ],
  )
  t.strictSame(open, [
    { object: small, covered: 0 },
    { object: face, covered: 0.5 },
  ])
  t.strictSame([...tally.byHeight.keys()], ['plate', 'face'], 'what need not be hidden is not counted')
  const plates = tally.byHeight.get('plate') ?? []
  t.strictSame(plates.slice(0, 3), [
    { hidden: 0, all: 1 },
    { hidden: 0, all: 0 },
    { hidden: 1, all: 1 },
  ])
  t.strictSame(fromHeight(plates, 12), { hidden: 1, all: 1 })
  t.strictSame(fromHeight(tally.byHeight.get('face') ?? [], 20), { hidden: 0, all: 1 })
  t.equal(tally.pictures, 1)
  t.equal(tally.megapixels, 0.02)
})

await t.test('nine tenths of an object are enough, by whatever masks', async (t) => {
  const masks = [mask(0, 0, 10, 20, 'windscreen'), mask(10, 0, 8, 20, 'inferred')]
  t.strictSame(countPicture(emptyTally(), SIZE, [object('face', 0, 0, 20, 20)], masks), [])
  t.equal(countPicture(emptyTally(), SIZE, [object('face', 0, 0, 21, 20)], masks).length, 1)
})

await t.test('what is hidden in vain is counted once, by what is surest', async (t) => {
  const tally = emptyTally()
  countPicture(
    tally,
    SIZE,
    [object('plate', 100, 0, 20, 20)],
    [
      mask(100, 0, 20, 20),
      mask(90, 0, 40, 30),
      mask(0, 0, 40, 50, 'windscreen'),
      mask(0, 0, 40, 25, 'inferred'),
      mask(0, 0, 20, 10),
    ],
  )
  const pixels = Object.entries(tally.inVain).map(([source, share]) => [source, Math.round(share * 20_000)])
  t.strictSame(pixels, [
    // Around the plate half of its size more is no waste.
    ['found', 200],
    ['inferred', 800],
    ['windscreen', 1_000],
  ])
})

await t.test('an object of a clip is remembered with the frames in which it is hidden or open', async (t) => {
  const tracks = new Map<string, TrackTally>()
  const face = { id: 'person-1/face', ...object('face', 0, 0, 15, 15) }
  countTrack(tracks, face, 0, true)
  countTrack(tracks, { ...face, box: { ...face.box, h: 11 } }, 0.2, false)
  countTrack(tracks, { id: 'car-1', ...object('car', 0, 0, 50, 50) }, 0, false)
  const frames = [
    { seconds: 0, pixels: 15, isHidden: true },
    { seconds: 0.2, pixels: 11, isHidden: false },
  ]
  t.strictSame([...tracks], [['person-1/face', { kind: 'face', frames }]])
  const lines = linesOf({
    title: '',
    tallies: emptyTallies(['ours']),
    tracks: new Map([['ours', tracks]]),
    leaks: [],
  })
  t.match(lines.slice(-3), [
    /^ours: 0 of 1 objects of 12 px and more/,
    /^ours: 1 of 1 objects of 8 px and more/,
    '  person-1/face: 1 of 2 frames, the first at 0.2 s',
  ])
})
