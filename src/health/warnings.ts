import type { ClockState } from '../domain/evidence.ts'
import { type EpochMs, iso } from '../domain/frame.ts'
import { ERRORS } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'

/** Something that a person should look at. */
export interface Warning {
  readonly code: ErrorCode
  /** What is the matter, in one line. */
  readonly message: string
  /** What to do about it. */
  readonly hint: string
}

/** What the warnings are judged from. */
export interface Condition {
  readonly vision: { readonly connected: boolean }
  readonly cameras: readonly {
    readonly camera: string
    readonly state: 'connecting' | 'live' | 'down' | 'ended'
    /** Why it is down. */
    readonly code?: string | undefined
  }[]
  /** How the networks did on the built-in clip; undefined until vision has said it. */
  readonly selftest: 'running' | 'passed' | 'failed' | undefined
  /** Violations of which nothing was kept because a frame could not be checked. */
  readonly uncheckedRedactions: number
  readonly broker: { readonly connected: boolean; readonly code: string | null }
  readonly outbox: { readonly count: number; readonly oldestAt: EpochMs | null }
  readonly store: {
    readonly bytes: number
    readonly maxBytes: number
    /** When the disk last refused a write; null where it has not since the machine was started. */
    readonly failedAt: EpochMs | null
  }
  readonly clock: ClockState
  /** Files and when the certificates in them expire. */
  readonly certificates: readonly { readonly file: string; readonly expiresAt: EpochMs | undefined }[]
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** Evidence is usually confirmed within seconds. */
const BACKLOG_MS = HOUR_MS
/** A disk that has failed once is to be looked at, also where it works again. */
const FAILED_DISK_MS = 7 * DAY_MS
const FULL_SHARE = 0.8
const EXPIRY_DAYS = 30

/** Everything that a person should look at now, worst first. Holds nothing personal. */
export function judgeCondition(condition: Condition, now: EpochMs): Warning[] {
  return [
    ...judgeStore(condition, now),
    ...judgeCameras(condition),
    ...judgeDelivery(condition, now),
    ...judgeCertificates(condition, now),
    ...judgeClock(condition),
  ]
}

function judgeStore({ store }: Condition, now: EpochMs): Warning[] {
  const { failedAt, bytes, maxBytes } = store
  const failed =
    failedAt === null || now - failedAt > FAILED_DISK_MS
      ? []
      : [warning('ERR_STORE_IO', `the disk refused a write at ${iso(failedAt)}; the store was opened anew`)]
  const share = bytes / maxBytes
  if (share < FULL_SHARE) return failed
  return [...failed, warning('ERR_STORE_NEARLY_FULL', `the store is ${Math.floor(share * 100)} % full`)]
}

function judgeCameras({ vision, cameras, selftest, uncheckedRedactions }: Condition): Warning[] {
  if (!vision.connected) return [warning('ERR_VISION_GONE', 'the vision process is not connected')]
  const untrusted =
    selftest === 'failed'
      ? [warning('ERR_SELFTEST_FAILED', 'the networks did not pass the self-test: no evidence is made')]
      : []
  const down = cameras
    .filter(({ state }) => state === 'down')
    .map(({ camera, code }) =>
      isKnown(code)
        ? warning(code, `camera ${camera} is down`)
        : warning('ERR_CAMERA_DOWN', `camera ${camera} is down`),
    )
  if (uncheckedRedactions === 0) return [...untrusted, ...down]
  return [
    ...untrusted,
    ...down,
    warning(
      'ERR_REDACTION_UNCHECKED',
      `${uncheckedRedactions} violations left no evidence since the start of vision`,
    ),
  ]
}

function judgeDelivery({ broker, outbox }: Condition, now: EpochMs): Warning[] {
  const warnings: Warning[] = []
  if (!broker.connected) {
    const code = broker.code ?? undefined
    warnings.push(warning(isKnown(code) ? code : 'ERR_BROKER_LOST', 'the broker is not connected'))
  }
  const ageMs = outbox.oldestAt === null ? 0 : now - outbox.oldestAt
  if (outbox.count > 0 && ageMs > BACKLOG_MS) {
    const hours = Math.floor(ageMs / HOUR_MS)
    warnings.push(
      warning('ERR_BACKLOG_OLD', `${outbox.count} evidence wait for a receipt, the oldest for ${hours} h`),
    )
  }
  return warnings
}

function judgeCertificates({ certificates }: Condition, now: EpochMs): Warning[] {
  return certificates.flatMap(({ file, expiresAt }) => {
    if (expiresAt === undefined) {
      return [warning('ERR_CERTIFICATE_UNREADABLE', `there is no certificate to read in ${file}`)]
    }
    const days = Math.floor((expiresAt - now) / DAY_MS)
    if (days >= EXPIRY_DAYS) return []
    const when = days < 0 ? 'has expired' : `expires in ${days} days`
    return [warning('ERR_CERTIFICATE_EXPIRY', `the certificate in ${file} ${when}`)]
  })
}

function judgeClock({ clock }: Condition): Warning[] {
  if (clock.synchronized === true) return []
  const message =
    clock.synchronized === null
      ? 'it is not known whether the clock is synchronized'
      : `the clock is not synchronized (${clock.source})`
  return [warning('ERR_CLOCK_UNSYNCHRONIZED', message)]
}

function isKnown(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERRORS, code)
}

function warning(code: ErrorCode, message: string): Warning {
  return { code, message, hint: ERRORS[code].hint }
}
