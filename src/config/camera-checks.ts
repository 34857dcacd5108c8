import type { z } from 'zod'
import { valueText, type ConfigPath, type Finding } from '../config-file/finding.ts'
import { findRepeated, listAt } from './lists.ts'
import { cameraSchema, ruleSchema, zoneSchema } from './schema.ts'
import { valueAt } from '../config-file/shape.ts'
import { nearestWord } from '../config-file/suggestion.ts'
import { lineFault, polygonFault } from './zones.ts'

type ZoneEntry = z.infer<typeof zoneSchema>
type RuleEntry = z.infer<typeof ruleSchema>

/** How the parts of one camera fit each other: its address, its zones, and the rules in them. */
export function findCameraFaults(camera: unknown, path: ConfigPath): Finding[] {
  const zones = listAt(camera, ['zones'])
  const rules = listAt(camera, ['rules'])
  const zoneIds = zones.map((zone) => valueAt(zone, ['id'])).filter((id) => typeof id === 'string')
  const whole = zones.flatMap((zone) => zoneSchema.safeParse(zone).data ?? [])
  return [
    ...findSourceFaults(camera, path),
    ...findRepeated(zones, [...path, 'zones']),
    ...zones.flatMap((zone, i) => findZoneFaults(zone, [...path, 'zones', i])),
    ...findRepeated(rules, [...path, 'rules']),
    ...rules.flatMap((rule, i) => {
      const at = [...path, 'rules', i]
      const result = ruleSchema.safeParse(rule)
      const unknownZone = findUnknownZone(rule, zoneIds, at)
      if (!result.success) return unknownZone
      const zone = whole.find(({ id }) => id === result.data.zone)
      return [...unknownZone, ...findRuleFaults(result.data, zone, at)]
    }),
  ]
}

function findSourceFaults(camera: unknown, path: ConfigPath): Finding[] {
  const findings: Finding[] = []
  const url = valueAt(camera, ['url'])
  if (typeof url !== 'string') return findings
  const isFile = url.startsWith('file:')
  if (cameraSchema.shape.url.safeParse(url).success) {
    const reason = cameraUrlFault(url)
    if (reason) findings.push({ path: [...path, 'url'], reason, got: valueText([...path, 'url'], url) })
  }
  for (const name of isFile ? [] : ['replay', 'replayStartsAt']) {
    if (valueAt(camera, [name]) === undefined) continue
    const reason = 'is only for recordings (url: file:PATH); a camera has its own time'
    findings.push({ path: [...path, name], reason })
  }
  if (isFile && valueAt(camera, ['credentialsFile']) !== undefined) {
    findings.push({ path: [...path, 'credentialsFile'], reason: 'is only for cameras; a file needs none' })
  }
  return findings
}

/** Some cameras take user and password as parameters of the path; in the config file they are as bare there. */
const CREDENTIAL_PARAMETER = /\b(pass(word|wd)?|pwd)=/i

/** Why an address that has the right form cannot be a camera's, or undefined when it can. */
export function cameraUrlFault(url: string): string | undefined {
  if (url.startsWith('file:')) return undefined
  if (url.includes('@') || CREDENTIAL_PARAMETER.test(url)) {
    return 'must not hold user and password: put them into a file and name it in credentialsFile'
  }
  return URL.canParse(url) ? undefined : 'must be a whole address: rtsp://host:port/path'
}

function findZoneFaults(entry: unknown, path: ConfigPath): Finding[] {
  const hasPolygon = valueAt(entry, ['polygon']) !== undefined
  if (typeof entry === 'object' && hasPolygon === (valueAt(entry, ['line']) !== undefined)) {
    return [
      { path, reason: hasPolygon ? 'has polygon and line; choose one' : 'must have a polygon or a line' },
    ]
  }
  const findings: Finding[] = []
  const polygon = pointsAt(entry, 'polygon')
  const polygonReason = polygon && polygonFault(polygon)
  if (polygonReason) findings.push({ path: [...path, 'polygon'], reason: polygonReason })
  for (const name of ['line', 'direction'] as const) {
    const [from, to] = pointsAt(entry, name) ?? []
    const reason = from && to && lineFault(from, to)
    if (reason) findings.push({ path: [...path, name], reason })
  }
  return findings
}

function pointsAt(entry: unknown, name: 'polygon' | 'line' | 'direction') {
  return zoneSchema.shape[name].safeParse(valueAt(entry, [name])).data?.map(([x, y]) => ({ x, y }))
}

function findUnknownZone(rule: unknown, zoneIds: readonly string[], path: ConfigPath): Finding[] {
  const zone = valueAt(rule, ['zone'])
  if (typeof zone !== 'string' || zoneIds.includes(zone)) return []
  const near = nearestWord(zone, zoneIds)
  const reason = `names no zone of this camera${near ? `; did you mean "${near}"?` : ''}`
  return [{ path: [...path, 'zone'], reason, got: valueText([...path, 'zone'], zone) }]
}

function findRuleFaults(rule: RuleEntry, zone: ZoneEntry | undefined, path: ConfigPath): Finding[] {
  const findings: Finding[] = []
  if (rule.mode === 'live' && rule.effectiveFrom === undefined) {
    findings.push({ path: [...path, 'effectiveFrom'], reason: 'is missing: a live rule must say since when' })
  }
  if (rule.classes.every((name) => rule.exemptClasses.includes(name))) {
    findings.push({
      path: [...path, 'exemptClasses'],
      reason: 'exempts every class, so the rule is for nobody',
    })
  }
  if (zone && rule.kind === 'wrong-way' && !zone.direction) {
    findings.push({
      path: [...path, 'zone'],
      reason: `must have a direction for a wrong-way rule`,
      got: `"${zone.id}"`,
    })
  }
  if (zone && rule.kind !== 'wrong-way' && !zone.polygon) {
    findings.push({
      path: [...path, 'zone'],
      reason: `must be a polygon for a ${rule.kind} rule`,
      got: `"${zone.id}"`,
    })
  }
  rule.schedule.forEach(({ from, to }, i) => {
    const at = [...path, 'schedule', i]
    if (from === '24:00') findings.push({ path: [...at, 'from'], reason: 'must be before 24:00; use 00:00' })
    else if (from === to) {
      findings.push({ path: [...at, 'to'], reason: 'is the same as from; a whole day is 00:00 to 24:00' })
    }
  })
  return findings
}
