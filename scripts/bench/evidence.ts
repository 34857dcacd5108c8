import { constants, setPriority } from 'node:os'
import { buildEvidence } from '../../src/evidence/build.ts'
import { loadModelSource } from '../../src/models/source.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'
import { sceneRequest, T0 } from '../../test/evidence/scene-request.ts'
import { line } from './line.ts'
import { stolenSeconds } from './process-tree.ts'

/**
 * Searching, redacting, encoding and verifying one evidence of twelve seconds of 1080p, at the lowest priority and with nothing
 * else running: at the rate of the product's clips, or the one that is given.
 */

const FPS = Number(process.argv[2] ?? 5)
const SPAN = { from: T0 + 5_000, to: T0 + 17_000 }

setPriority(constants.priority.PRIORITY_LOW)
const networks = await openEvidenceNetworks(await loadModelSource())
const began = performance.now()
const stolenBefore = stolenSeconds()
const { facts } = await buildEvidence(sceneRequest(SPAN, FPS), networks, AbortSignal.timeout(600_000))
const seconds = (performance.now() - began) / 1000
const stolen = (stolenSeconds() - stolenBefore) / seconds
line('measured', `12 s, 1080p at ${FPS} fps, ${facts.clip.frames.length} frames and 3 stills`)
line('seconds to redact and verify', seconds.toFixed(1))
line('taken by other virtual machines meanwhile', `${stolen.toFixed(2)} cores`)
line('memory, peak without ffmpeg', `${(process.resourceUsage().maxRSS / 1024).toFixed(0)} MB`)
