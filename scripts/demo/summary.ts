import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import type { VaultStatus } from '../../src/channel/control-messages.ts'
import { type EvidenceFacts, evidenceFactsSchema } from '../../src/domain/evidence.ts'

/** What the demo has to say at the end; plate text stays in the evidence. */
export interface Summary {
  readonly seen: { readonly frames: number; readonly tracks: number; readonly violations: number }
  readonly kept: {
    readonly evidenceId: string
    readonly rule: string
    readonly vehicle: string
    readonly plateRead: boolean
    readonly pictures: number
    readonly clipFrames: number
    readonly bytes: number
  }
  readonly thrownAway: {
    readonly framesForgotten: number
    readonly framesDropped: number
    readonly violationsDiscarded: number
    readonly hidden: Readonly<Record<string, number>>
    readonly evidenceLeftOnBox: number
    readonly tombstones: number
  }
  readonly secondsFromJudgementToReceipt: number | null
  readonly openedEvidence: string
}

/** Folders of the evidence that the city has opened, the oldest first. */
export function openedEvidence(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name === 'evidence.json')
    .map((entry) => entry.parentPath)
    .sort((a, b) => statSync(a).mtimeMs - statSync(b).mtimeMs)
}

/** Seconds from the arrival of the frame that broke the rule to the latest receipt, if this evidence is what it was for. */
export function secondsToReceipt({ delivery }: VaultStatus, folder: string): number | null {
  if (delivery.lastReceiptAt === null) return null
  const { times } = readFacts(folder)
  return Math.round((Date.parse(delivery.lastReceiptAt) - Date.parse(times.judged.host)) / 100) / 10
}

function readFacts(folder: string): EvidenceFacts {
  return evidenceFactsSchema.parse(JSON.parse(readFileSync(`${folder}/evidence.json`, 'utf8')))
}

export function summarize(status: VaultStatus, folder: string): Summary {
  const facts = readFacts(folder)
  const frames = status.cameras.reduce((sum, camera) => sum + camera.frames, 0)
  return {
    seen: { frames, tracks: status.counts?.tracks ?? 0, violations: status.counts?.violations ?? 0 },
    kept: {
      evidenceId: facts.evidenceId,
      rule: `${facts.rule.kind} in ${facts.zone.id}`,
      vehicle: facts.vehicle.class,
      plateRead: facts.plate.text !== null,
      pictures: facts.pictures.length + (facts.plate.crop ? 1 : 0),
      clipFrames: facts.clip.frames.length,
      bytes: facts.files.reduce((sum, file) => sum + file.bytes, 0),
    },
    thrownAway: {
      framesForgotten: frames,
      framesDropped: status.cameras.reduce((sum, camera) => sum + camera.dropped, 0),
      violationsDiscarded: status.counts?.discarded ?? 0,
      hidden: hiddenByKind(facts),
      evidenceLeftOnBox: status.store.outbox + status.store.held,
      tombstones: status.store.tombstones,
    },
    secondsFromJudgementToReceipt: secondsToReceipt(status, folder),
    openedEvidence: folder,
  }
}

export function summaryText(summary: Summary): string {
  const { seen, kept, thrownAway } = summary
  const hidden = Object.entries(thrownAway.hidden).map(([kind, count]) => `${count} × ${kind}`)
  const seconds = summary.secondsFromJudgementToReceipt
  return [
    'The city has confirmed the first violation.',
    '',
    `Seen         ${seen.frames} frames searched, ${seen.tracks} tracks, ${seen.violations} violations`,
    `Kept         ${kept.vehicle}, ${kept.rule}: ${kept.pictures} pictures, a clip of ${kept.clipFrames} frames, ${(kept.bytes / 1e6).toFixed(1)} MB`,
    `             plate ${kept.plateRead ? 'read' : 'not read with certainty, so no text is given'}`,
    `Destroyed    in these pictures: ${hidden.join(', ') || 'nothing to hide'}`,
    `Thrown away  all ${thrownAway.framesForgotten} searched frames; ${thrownAway.framesDropped} more were never searched`,
    `On the box   ${thrownAway.evidenceLeftOnBox} evidence left, ${thrownAway.tombstones} tombstone (id, hash and times)`,
    ...(seconds === null
      ? []
      : [`Took         ${seconds} s from the frame that broke the rule to the city's receipt`]),
    '',
    `Look at it   ${summary.openedEvidence}`,
  ].join('\n')
}

function hiddenByKind(facts: EvidenceFacts): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { kind } of facts.clip.frames.flatMap(({ regions }) => regions))
    counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
