import { randomUUID } from 'node:crypto'
import type { CameraConfig } from '../config/config.ts'
import { type VehicleClass, VEHICLE_CLASSES } from '../domain/detection.ts'
import type { EpochMs } from '../domain/frame.ts'
import type { Rule, Zone } from '../domain/rule.ts'
import type { PathPoint, Track, TrackedFrame } from '../domain/track.ts'
import type { Violation } from '../domain/violation.ts'
import { modeAt } from './mode.ts'
import { judgeNoStopping } from './no-stopping.ts'
import { judgeReservedLane } from './reserved-lane.ts'
import { createLocalClock, isScheduled } from './schedule.ts'
import type { TrackJudge } from './verdict.ts'
import { judgeWrongWay } from './wrong-way.ts'

/** A vehicle that is in a rule's zone and may yet be judged: the video of its entry must stay in memory. */
export interface Stay {
  readonly trackId: string
  readonly ruleId: string
  readonly enteredAt: EpochMs
}

/** Judges the tracks of one camera by its rules. */
export interface Judge {
  /** Takes the next frame's tracks. Time is read from the frame: a replayed recording gives the same violations. */
  step(frame: TrackedFrame): { readonly violations: readonly Violation[]; readonly stays: readonly Stay[] }
}

export interface JudgeDeps {
  /** The way of a track between two times. */
  readonly path: (trackId: string, from: EpochMs, to: EpochMs) => readonly PathPoint[]
  readonly newId?: () => string
}

/** The path of a violation begins this long before the entry into the zone. */
const PATH_BEFORE_MS = 3_000

export function createJudge(
  camera: Pick<CameraConfig, 'id' | 'timeZone' | 'rules' | 'zones'>,
  deps: JudgeDeps,
): Judge {
  const newId = deps.newId ?? randomUUID
  const localTime = createLocalClock(camera.timeZone)
  const cases = camera.rules.map((rule) => ({ rule, judges: new Map<string, TrackJudge>() }))
  const zones = new Map(camera.zones.map((zone) => [zone.id, zone]))

  return {
    step(frame) {
      const violations: Violation[] = []
      const stays: Stay[] = []
      const now = localTime(frame.capturedAt)
      for (const { rule, judges } of cases) {
        const isActive = isScheduled(rule.schedule, now)
        for (const track of frame.tracks) {
          if (track.state === 'ended') {
            judges.delete(track.id)
            continue
          }
          const vehicle = vehicleOf(track)
          if (track.state === 'tentative' || !vehicle || !rule.classes.includes(vehicle)) continue
          const judge = judges.get(track.id) ?? startJudge(rule, zones.get(rule.zoneId))
          judges.set(track.id, judge)
          const verdict = judge.step({ track, at: frame.capturedAt, arrival: frame.arrival, isActive })
          if (verdict.kind === 'stay') {
            stays.push({ trackId: track.id, ruleId: rule.id, enteredAt: verdict.entered.at })
          }
          if (verdict.kind === 'violation') {
            const { entered } = verdict
            violations.push({
              id: newId(),
              cameraId: camera.id,
              trackId: track.id,
              class: vehicle,
              ruleId: rule.id,
              ruleKind: rule.kind,
              zoneId: rule.zoneId,
              mode: modeAt(rule, frame.capturedAt),
              enteredAt: entered.at,
              judgedAt: frame.capturedAt,
              arrivals: { entered: entered.arrival, judged: frame.arrival },
              path: deps.path(track.id, entered.at - PATH_BEFORE_MS, frame.capturedAt),
            })
          }
        }
      }
      return { violations, stays }
    },
  }
}

function startJudge(rule: Rule, zone: Zone | undefined): TrackJudge {
  if (!zone) throw new TypeError(`rule ${rule.id} names a zone that the camera does not have`)
  switch (rule.kind) {
    case 'no-stopping':
      return judgeNoStopping(rule, zone.points)
    case 'reserved-lane':
      return judgeReservedLane(rule, zone)
    case 'wrong-way': {
      const { direction } = zone
      if (!direction) throw new TypeError(`rule ${rule.id} needs a zone with a direction`)
      return judgeWrongWay({ ...zone, direction })
    }
  }
}

function vehicleOf(track: Track): VehicleClass | undefined {
  return VEHICLE_CLASSES.find((vehicle) => vehicle === track.class)
}
