import t from 'tap'
import { type RawFrame, rawFrame } from '../../src/domain/frame.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import type { PlannedPiece } from '../../src/evidence/pieces.ts'
import { rehearse } from '../../src/evidence/rehearse.ts'
import type { FramePlan } from '../../src/privacy/plan.ts'

// What a network finds is told here, since only then is it known when it is found.

const SIZE = { width: 320, height: 192 }
const frameAt = (sequence: number): RawFrame =>
  rawFrame({ cameraId: 'c', sequence, capturedAt: sequence, ...SIZE, planes: new Uint8Array(320 * 192 * 3) })

const nothing: FramePlan = { regions: [] }
async function* none() {}

function piece(frames: number, samples: readonly number[], plan = nothing): PlannedPiece {
  return {
    footage: { span: { from: 0, to: 1 }, frames: none, videoFrames: none },
    checked: Array.from({ length: frames }, (_, capturedAt) => ({ capturedAt, plan })),
    samples: samples.map((index) => ({ index, frame: frameAt(index) })),
  }
}

/** Finds a plate at these places from the left, a place for each picture that it is shown. */
function finding(places: readonly (number | undefined)[]): EvidenceDeps {
  let shown = 0
  const detect = async () => {
    const x = places[shown++]
    // As the mirror shows it.
    const box = { x: 1 - (x ?? 0) - 0.1, y: 0.5, w: 0.1, h: 0.05 }
    return x === undefined ? [] : [{ kind: 'plate' as const, score: 0.55, box, extent: box }]
  }
  return {
    detectors: { regions: { detect }, objects: { detectIn: async () => [] } },
    plateText: { read: async () => [] },
  } as unknown as EvidenceDeps
}

await t.test('what shows at one place in two samples is hidden in every frame of all pieces', async (t) => {
  const leaks = await rehearse([piece(10, [2, 7]), piece(6, [3])], finding([0.2, undefined, 0.21]))
  t.equal(leaks.size, 16)
  for (const found of leaks.values()) t.match(found, [{ kind: 'plate', box: { y: 0.5 } }])
})

await t.test('what shows once, or elsewhere each time, is told for its frames only', async (t) => {
  const leaks = await rehearse([piece(10, [2, 7]), piece(6, [3])], finding([0.2, 0.6, undefined]))
  t.same([...leaks.keys()], [2, 7])
})

await t.test('what the plan hides is found no more', async (t) => {
  const box = { x: 0.1, y: 0.4, w: 0.4, h: 0.3 }
  const hiding: FramePlan = {
    regions: [{ kind: 'plate', source: 'detected', score: 1, box }],
  }
  t.equal((await rehearse([piece(10, [2, 7], hiding)], finding([0.2, 0.2]))).size, 0)
})
