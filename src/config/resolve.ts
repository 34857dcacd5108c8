import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Rule, ScheduleSlot, Zone } from '../domain/rule.ts'
import type { Point } from '../domain/geometry.ts'
import type { CameraConfig, Config } from './config.ts'
import type { CameraEntry, ConfigFile } from './schema.ts'

type ZoneEntry = CameraEntry['zones'][number]
type RuleEntry = CameraEntry['rules'][number]

/** A file name of the config as an absolute path; relative ones start at the folder of the config. */
export function resolveFile(folder: string, name: string): string {
  return resolve(folder, name)
}

/** The file of a `file:` source: `file:clip.mp4`, `file:/media/clip.mp4` and `file:///media/clip.mp4` all work. */
export function resolveSource(folder: string, url: string): string {
  if (url.startsWith('file:///')) {
    try {
      return fileURLToPath(url)
    } catch {
      // Not percent-encoded: the name as it stands.
    }
  }
  return resolveFile(folder, url.slice('file:'.length))
}

/** Turns a config without faults into the values that the rooms take. */
export function resolveConfig(entry: ConfigFile, folder: string, sha256: string): Config {
  const at = (name: string): string => resolveFile(folder, name)
  const { directory: logDirectory, ...logs } = entry.logs
  return {
    ...entry,
    sha256,
    device: {
      id: entry.device.id,
      signingKeyFile: at(entry.device.signingKeyFile),
      ...(entry.device.keyFile !== undefined && { keyFile: at(entry.device.keyFile) }),
    },
    cameras: entry.cameras.map((camera) => resolveCamera(camera, folder, entry.site.timeZone)),
    store: { ...entry.store, file: at(entry.store.file), keyFile: at(entry.store.keyFile) },
    runtimeDirectory: at(entry.runtimeDirectory),
    city: {
      ...entry.city,
      receiptKeys: entry.city.receiptKeys.map((key) => ({ ...key, publicKeyFile: at(key.publicKeyFile) })),
      commandKeys: entry.city.commandKeys.map((key) => ({ ...key, publicKeyFile: at(key.publicKeyFile) })),
    },
    broker: {
      ...entry.broker,
      caFile: at(entry.broker.caFile),
      certificateFile: at(entry.broker.certificateFile),
      keyFile: at(entry.broker.keyFile),
    },
    logs: logDirectory === undefined ? logs : { ...logs, directory: at(logDirectory) },
  }
}

function resolveCamera(entry: CameraEntry, folder: string, timeZone: string): CameraConfig {
  return {
    id: entry.id,
    url: entry.url.startsWith('file:') ? `file:${resolveSource(folder, entry.url)}` : entry.url,
    ...(entry.credentialsFile !== undefined && {
      credentialsFile: resolveFile(folder, entry.credentialsFile),
    }),
    replay: entry.replay,
    ...(entry.replayStartsAt !== undefined && { replayStartsAt: Date.parse(entry.replayStartsAt) }),
    analysisFps: entry.analysisFps,
    preRollMs: entry.preRollSeconds * 1000,
    timeZone,
    zones: entry.zones.map(resolveZone),
    rules: entry.rules.map(resolveRule),
  }
}

function resolveZone(entry: ZoneEntry): Zone {
  const [from, to] = entry.direction?.map(point) ?? []
  const direction = from && to ? { direction: { from, to } } : {}
  const [start, end] = entry.line?.map(point) ?? []
  if (start && end) return { id: entry.id, shape: 'line', points: [start, end], ...direction }
  return { id: entry.id, shape: 'polygon', points: entry.polygon?.map(point) ?? [], ...direction }
}

function point([x, y]: readonly [number, number]): Point {
  return { x, y }
}

function resolveRule(entry: RuleEntry): Rule {
  const base = {
    id: entry.id,
    zoneId: entry.zone,
    classes: entry.classes.filter((name) => !entry.exemptClasses.includes(name)),
    schedule: entry.schedule.map(resolveSlot),
    mode: entry.mode,
    ...(entry.effectiveFrom !== undefined && { effectiveFrom: Date.parse(entry.effectiveFrom) }),
  }
  switch (entry.kind) {
    case 'no-stopping':
      return { ...base, kind: entry.kind, limitMs: entry.limitSeconds * 1000 }
    case 'reserved-lane':
      return { ...base, kind: entry.kind, minTravelShare: entry.minTravelShare }
    case 'wrong-way':
      return { ...base, kind: entry.kind }
  }
}

function resolveSlot(entry: RuleEntry['schedule'][number]): ScheduleSlot {
  // A slot that ends at midnight ends with its day.
  return { days: entry.days, fromMinute: minuteOf(entry.from), toMinute: minuteOf(entry.to) || 1440 }
}

function minuteOf(clockTime: string): number {
  const [hours = 0, minutes = 0] = clockTime.split(':').map(Number)
  return hours * 60 + minutes
}
