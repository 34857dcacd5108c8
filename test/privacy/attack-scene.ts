import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import { SCENE_FILE, truth } from '../support/scene.ts'
import { fullFrame } from '../support/scene-frames.ts'
import { type Quad, straighten } from './attack-images.ts'
import { repeatable } from './chance.ts'

/**
 * Frames to attack: of the built-in scene with its own plates and faces, and with many more on the street that are put together
 * from the scene's letters and parts of faces, since four plates and three faces prove nothing about chance.
 */

/** A plate or face, and where it is in each frame; undefined where it is too small or not there. */
export interface Target {
  readonly kind: 'plate' | 'face'
  /** What the plate says; empty for a face. */
  readonly text: string
  readonly places: readonly (Quad | undefined)[]
}

export interface AttackScene {
  readonly frames: readonly RawFrame[]
  readonly targets: readonly Target[]
}

/** Seconds from the scene's start: two moments, seven seconds apart, of three frames each. */
const MOMENTS = [5.9, 6, 6.1, 12.9, 13, 13.1]
/** The first frames, and the later ones. */
export const [FIRST_HALF, SECOND_HALF] = [
  [0, 1, 2],
  [3, 4, 5],
] as const

const truthSchema = z.object({
  frames: z.array(
    z.object({
      objects: z.array(
        z.object({
          id: z.string(),
          cls: z.string(),
          box: z.tuple([z.number(), z.number(), z.number(), z.number()]),
          quad: z.array(z.tuple([z.number(), z.number()])).optional(),
          text: z.string().optional(),
          visibility: z.number(),
          inFrame: z.number(),
        }),
      ),
    }),
  ),
})
/** With what the self-test does not need: corners and texts of plates. */
const truths = truthSchema.parse(
  JSON.parse(readFileSync(SCENE_FILE.replace(/\.mp4$/, '.gt.json'), 'utf8')),
).frames
type TrueObject = z.infer<typeof truthSchema>['frames'][number]['objects'][number]

/** Smaller plates are not readable before they are hidden. */
const MIN_PLATE_PIXELS = 14

/** Where the characters of the scene's plates lie, in shares of the plate's width: from, to. */
const LETTERS: Readonly<Record<string, readonly (readonly [number, number])[]>> = {
  KX47BRT: [
    ...([
      [0.115, 0.237],
      [0.237, 0.352],
      [0.353, 0.454],
      [0.456, 0.552],
    ] as const),
    ...([
      [0.637, 0.727],
      [0.733, 0.845],
      [0.848, 0.957],
    ] as const),
  ],
  LM82QWA: [
    ...([
      [0.112, 0.198],
      [0.2, 0.334],
      [0.341, 0.431],
      [0.436, 0.53],
    ] as const),
    ...([
      [0.593, 0.705],
      [0.705, 0.857],
      [0.857, 0.971],
    ] as const),
  ],
  RV25NCP: [
    ...([
      [0.108, 0.214],
      [0.209, 0.337],
      [0.342, 0.437],
      [0.445, 0.548],
    ] as const),
    ...([
      [0.624, 0.744],
      [0.752, 0.86],
      [0.87, 0.977],
    ] as const),
  ],
  HJ63TDE: [
    ...([
      [0.107, 0.228],
      [0.222, 0.31],
      [0.319, 0.423],
      [0.431, 0.535],
    ] as const),
    ...([
      [0.609, 0.733],
      [0.742, 0.866],
      [0.875, 0.976],
    ] as const),
  ],
}
const PLACES = 7
const LETTER_HEIGHT = [0.14, 0.88] as const

/** Of a plate put together, pixels. */
const PLATE = { width: 116, height: 24 }
const PLATES = 12
const FACE = { width: 34, height: 42 }
/** Faces are put together of this many parts, one above the other. */
const FACE_PARTS = 3
/** A place on the street for each, with room for the mask around it. */
const CELL = { width: 190, height: 66 }

/** A small picture with green, blue and red. */
interface Stamp {
  readonly width: number
  readonly height: number
  readonly planes: readonly Float32Array[]
}

export function attackScene(): AttackScene {
  const raw = MOMENTS.map((seconds) => fullFrame(SCENE_FILE, truth.width, truth.height, seconds))
  const own = ownTargets()
  const random = repeatable(7)
  const places = freePlaces(own, random)
  const take = ({ width, height }: { width: number; height: number }): Quad[] => {
    const place = places.pop()
    if (!place) throw new RangeError('the street is too small for so many plates and faces')
    const left = place.x + (CELL.width - width) / 2
    const top = place.y + (CELL.height - height) / 2
    // Parts of a pixel from frame to frame, as in any real picture: it is more to average, not less.
    return MOMENTS.map((_, i) => rectangle(left + ((i * 0.37) % 1), top + ((i * 0.21) % 1), width, height))
  }
  const more: Target[] = []
  const frames = raw.map((frame) => rawFrame({ ...frame, planes: frame.planes.slice() }))
  const draw = (target: Target, stampOf: (frame: number) => Stamp): void => {
    more.push(target)
    target.places.forEach((place, i) => {
      const frame = frames[i]
      if (place && frame) drawStamp(frame, stampOf(i), place)
    })
  }

  const letters = readLetters(raw, own)
  for (let i = 0; i < PLATES; i++) {
    const text = Array.from({ length: PLACES }, (_, place) =>
      (Object.keys(LETTERS)[Math.floor(random() * 4)] ?? '').charAt(place),
    ).join('')
    const stamp = plateOf(text, letters)
    draw({ kind: 'plate', text, places: take(PLATE) }, () => stamp)
  }

  const faces = own.filter(({ kind }) => kind === 'face')
  // What is drawn into the later frames comes from the later ones: another picture of the same face.
  const stamps = [FIRST_HALF[1], SECOND_HALF[1]].map((i) =>
    faces.map(({ places }) => {
      const [place, frame] = [places[i], raw[i]]
      if (!place || !frame) throw new RangeError('a face of the scene is not visible')
      return cut(frame, place, FACE.width, FACE.height)
    }),
  )
  for (let i = 0; i < faces.length ** FACE_PARTS; i++) {
    const parts = Array.from(
      { length: FACE_PARTS },
      (_, part) => Math.floor(i / faces.length ** part) % faces.length,
    )
    const [first, second] = stamps.map((ofHalf) => faceOf(parts, ofHalf))
    if (!first || !second) throw new RangeError('no half')
    draw({ kind: 'face', text: '', places: take(FACE) }, (at) => (at < SECOND_HALF[0] ? first : second))
  }
  return { frames, targets: [...own, ...more] }
}

/** The scene's own plates and faces. */
function ownTargets(): Target[] {
  const objects = MOMENTS.map((seconds) => truths[Math.round(seconds * truth.fps)]?.objects ?? [])
  const ids = new Set(
    objects.flat().flatMap(({ id, cls }) => (cls === 'plate' || cls === 'face' ? [id] : [])),
  )
  return [...ids].flatMap((id): Target[] => {
    const seen = objects.map((all) => all.find((object) => object.id === id && isClear(object)))
    const first = seen.find((object) => object !== undefined)
    if (!first) return []
    const kind = first.cls === 'plate' ? 'plate' : 'face'
    return [{ kind, text: first.text ?? '', places: seen.map((object) => object && quadOf(object)) }]
  })
}

function isClear({ cls, visibility, inFrame, box }: TrueObject): boolean {
  return visibility > 0.9 && inFrame === 1 && (cls === 'face' || box[3] >= MIN_PLATE_PIXELS)
}

function quadOf({ quad, box }: TrueObject): Quad {
  const [a, b, c, d] = (quad ?? []).map(([x, y]) => ({ x, y }))
  // The scene's corners begin at the bottom left and go on at the bottom right.
  return a && b && c && d ? [d, c, b, a] : rectangle(...box)
}

function rectangle(x: number, y: number, w: number, h: number): Quad {
  return [
    { x, y },
    { x: x + w, y },
    { x: x + w, y: y + h },
    { x, y: y + h },
  ]
}

/** Cells of the picture in which the scene itself has nothing to hide, in any order. */
function freePlaces(own: readonly Target[], random: () => number): { x: number; y: number }[] {
  const taken = own.flatMap(({ places }) => places.flatMap((place) => (place ? [place] : [])))
  const places: { x: number; y: number }[] = []
  for (let y = 0; y + CELL.height <= truth.height; y += CELL.height) {
    for (let x = 0; x + CELL.width <= truth.width; x += CELL.width) {
      const isFree = taken.every((corners) =>
        corners.every(
          (corner) =>
            corner.x < x - 40 ||
            corner.x > x + CELL.width + 40 ||
            corner.y < y - 20 ||
            corner.y > y + CELL.height + 20,
        ),
      )
      if (isFree) places.push({ x, y })
    }
  }
  return places
    .map((place) => ({ place, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ place }) => place)
}

/** The scene's letters and the beginning of a plate, each from the frame in which its plate is largest. */
function readLetters(frames: readonly RawFrame[], own: readonly Target[]): ReadonlyMap<string, Stamp> {
  const found = new Map<string, Stamp>()
  for (const { text, places } of own) {
    const at = places.findLastIndex((place) => place !== undefined)
    const [place, frame] = [places[at], frames[at]]
    const shares = LETTERS[text]
    if (!shares || !place || !frame) continue
    const plate = cut(frame, place, 6 * PLATE.width, PLATE.height)
    shares.forEach(([from, to], i) => found.set(`${text.charAt(i)}${i}`, columns(plate, from, to)))
    found.set('strip', columns(plate, 0.02, 0.1))
  }
  return found
}

function plateOf(text: string, letters: ReadonlyMap<string, Stamp>): Stamp {
  const { width, height } = PLATE
  const plate = { width, height, planes: [0, 1, 2].map(() => new Float32Array(width * height).fill(215)) }
  const put = (stamp: Stamp | undefined, centre: number, most: number): void => {
    if (!stamp) throw new RangeError(`a letter of ${text} is not in the scene`)
    const w = Math.min(most, stamp.width / 6)
    const left = Math.round(centre * width - w / 2)
    const top = Math.round(LETTER_HEIGHT[0] * height)
    const bottom = Math.round(LETTER_HEIGHT[1] * height)
    plate.planes.forEach((plane, channel) => {
      const from = stamp.planes[channel] ?? new Float32Array(0)
      for (let y = top; y < bottom; y++) {
        for (let x = 0; x < w; x++) {
          // Six columns of the letter are one of the plate.
          const start = y * stamp.width + Math.floor(((x + 0.5) / w) * stamp.width)
          const near = from.subarray(Math.max(0, start - 2), start + 3)
          plane[y * width + left + x] = near.reduce((sum, value) => sum + value, 0) / near.length
        }
      }
    })
  }
  put(letters.get('strip'), 0.055, 10)
  for (let i = 0; i < PLACES; i++)
    put(letters.get(`${text.charAt(i)}${i}`), i < 4 ? 0.175 + 0.118 * i : 0.69 + 0.118 * (i - 4), 14)
  return plate
}

function faceOf(parts: readonly number[], faces: readonly Stamp[]): Stamp {
  const { width, height } = FACE
  const planes = [0, 1, 2].map((channel) =>
    Float32Array.from({ length: width * height }, (_, i) => {
      const part = Math.floor((Math.floor(i / width) * parts.length) / height)
      return faces[parts[part] ?? 0]?.planes[channel]?.[i] ?? 0
    }),
  )
  return { width, height, planes }
}

function cut(frame: RawFrame, place: Quad, width: number, height: number): Stamp {
  const one = (plane: number): readonly [number, number, number] => [
    +(plane === 0),
    +(plane === 1),
    +(plane === 2),
  ]
  return {
    width,
    height,
    planes: [0, 1, 2].map((plane) => straighten(frame, place, width, height, one(plane)).values),
  }
}

function columns({ width, height, planes }: Stamp, from: number, to: number): Stamp {
  const left = Math.round(from * width)
  const right = Math.round(to * width)
  return {
    width: right - left,
    height,
    planes: planes.map((plane) =>
      Float32Array.from(
        { length: (right - left) * height },
        (_, i) => plane[Math.floor(i / (right - left)) * width + left + (i % (right - left))] ?? 0,
      ),
    ),
  }
}

/** Draws a stamp to where a place is, with its parts of a pixel. */
function drawStamp(frame: RawFrame, stamp: Stamp, [from, , to]: Quad): void {
  const size = frame.width * frame.height
  const picture = {
    width: stamp.width,
    height: stamp.height,
    planes: Uint8Array.from(
      stamp.planes.flatMap((plane) => [...plane].map((value) => Math.min(255, Math.round(value)))),
    ),
  }
  const [left, top] = [Math.floor(from.x), Math.floor(from.y)]
  const [width, height] = [Math.ceil(to.x) - left, Math.ceil(to.y) - top]
  // The pixels of the frame that the stamp touches, in the stamp's own coordinates.
  const scale = { x: stamp.width / (to.x - from.x), y: stamp.height / (to.y - from.y) }
  const place = rectangle(
    (left - from.x) * scale.x,
    (top - from.y) * scale.y,
    width * scale.x,
    height * scale.y,
  )
  cut({ ...frame, ...picture }, place, width, height).planes.forEach((values, plane) => {
    values.forEach((value, i) => {
      const at = (top + Math.floor(i / width)) * frame.width + left + (i % width)
      frame.planes[plane * size + at] = value
    })
  })
}
