import { Encrypter } from 'age-encryption'
import { Cron } from 'croner'
import { findCameraFaults } from './camera-checks.ts'
import { valueText, type Finding } from '../config-file/finding.ts'
import { findRepeated, listAt } from './lists.ts'
import { recipientSchema } from './schema.ts'
import { valueAt } from '../config-file/shape.ts'
import { isTimeZone } from './time-zone.ts'

/**
 * What the schema cannot say: how values fit each other. Works on the config as written, so that these faults are
 * found beside those of shape; what has the wrong shape is passed over here.
 */
export function findCrossFaults(root: unknown): Finding[] {
  const cameras = listAt(root, ['cameras'])
  return [
    ...findSiteFaults(root),
    ...findDeviceFaults(root),
    ...findCityFaults(root),
    ...findScheduleFault(root),
    ...findRepeated(cameras, ['cameras']),
    ...cameras.flatMap((camera, i) => findCameraFaults(camera, ['cameras', i])),
  ]
}

function findSiteFaults(root: unknown): Finding[] {
  const findings: Finding[] = []
  const timeZone = valueAt(root, ['site', 'timeZone'])
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    const path = ['site', 'timeZone']
    findings.push({
      path,
      reason: 'must be an IANA time zone like Europe/Berlin',
      got: valueText(path, timeZone),
    })
  }
  const [latitude, longitude] = [valueAt(root, ['site', 'latitude']), valueAt(root, ['site', 'longitude'])]
  if ((latitude === undefined) !== (longitude === undefined)) {
    const missing = latitude === undefined ? 'latitude' : 'longitude'
    findings.push({
      path: ['site', missing],
      reason: 'is missing: latitude and longitude come together, or not at all',
    })
  }
  return findings
}

/** The broker tells boxes, the city's receiver and who commands apart by the names in their certificates. */
function findDeviceFaults(root: unknown): Finding[] {
  const path = ['device', 'id']
  const name = valueAt(root, path)
  if (name !== 'receiver' && name !== 'commander') return []
  return [{ path, reason: "must be another name: that is the city's", got: valueText(path, name) }]
}

function findCityFaults(root: unknown): Finding[] {
  const path = ['city', 'recipients']
  const findings: Finding[] = []
  const [operational, recovery] = ['operational', 'recovery'].map((role) => {
    const result = recipientSchema.safeParse(valueAt(root, [...path, role]))
    if (!result.success) return undefined
    if (!isRecipient(result.data)) {
      findings.push({
        path: [...path, role],
        reason: 'is not a whole age recipient: a letter is wrong or missing',
        got: valueText([...path, role], result.data),
      })
    }
    return result.data
  })
  if (operational !== undefined && operational === recovery) {
    findings.push({ path: [...path, 'recovery'], reason: 'must be another key than operational' })
  }
  const lists = ['receiptKeys', 'commandKeys'].map((role) => ['city', role])
  return [...findings, ...lists.flatMap((list) => findRepeated(listAt(root, list), list))]
}

/** age's own check of the text, checksum included. */
function isRecipient(text: string): boolean {
  try {
    new Encrypter().addRecipient(text)
    return true
  } catch {
    return false
  }
}

function findScheduleFault(root: unknown): Finding[] {
  const path = ['retention', 'schedule']
  const schedule = valueAt(root, path)
  if (typeof schedule !== 'string' || schedule.length > 100) return []
  const reason = scheduleFault(schedule)
  return reason === undefined ? [] : [{ path, reason, got: valueText(path, schedule) }]
}

function scheduleFault(schedule: string): string | undefined {
  if (!/^(\S+\s+){4}\S+$|^@\w+$/.test(schedule.trim())) return 'must be a cron expression of five fields'
  try {
    const next = new Cron(schedule, { paused: true }).nextRun()
    return next ? undefined : 'is a time that never comes'
  } catch {
    return 'must be a cron expression of five fields like 17 * * * *'
  }
}
