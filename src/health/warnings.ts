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
  /** The networks on the disk, compared with the manifest that pins them; undefined where that cannot be read. */
  readonly models:
    readonly { readonly file: string; readonly state: 'ok' | 'missing' | 'wrong' }[] | undefined
  /** Violations of the last `DISCARDED_DAYS` of which nothing was kept because a frame could not be checked. */
  readonly uncheckedRedactions: number
  /** And because something was found again after redaction. */
  readonly unverifiedRedactions: number
  readonly broker: { readonly connected: boolean; readonly code: string | null }
  readonly outbox: {
    readonly count: number
    readonly oldestAt: EpochMs | null
    /** Evidence whose delivery failed for a reason of its own, by what the last try failed of. */
    readonly setAside: readonly { readonly code: string; readonly count: number }[]
  }
  readonly store: {
    readonly bytes: number
    readonly maxBytes: number
    /** When the disk last refused a write; null where it has not since the machine was started. */
    readonly failedAt: EpochMs | null
    /** Evidence without a receipt whose bytes, or the key of whose day, cannot be read. */
    readonly damaged: number
    readonly keyless: number
    /** Rows of the audit log that the store had when it was last used, and has no more. */
    readonly missingRows: number
    /** The case under which everything is held, since holds may have been lost. */
    readonly holdsEverything?: string | undefined
    /** Damaged stores that were set aside. */
    readonly setAsides: readonly {
      readonly at: string
      readonly saved: number
      readonly lost: readonly string[]
      readonly unnamed: number
      readonly lostUnderHold: readonly { readonly evidenceId: string; readonly cases: readonly string[] }[]
    }[]
  }
  /** What the disk of the store has left; undefined where that cannot be read. */
  readonly disk: { readonly freeBytes: number; readonly freeFiles: number | null } | undefined
  /** What is wrong with the audit log. */
  readonly auditFault: string | undefined
  /** What is wrong with how the database key lies on the disk. */
  readonly key: { readonly code: ErrorCode; readonly message: string } | undefined
  readonly clock: ClockState
  /** False where purge and commands do not believe it. */
  readonly clockPlausible: boolean
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
const MAX_NAMED = 5
const EXPIRY_DAYS = 30
/** So long a violation that left no evidence is warned of. */
export const DISCARDED_DAYS = 7
/** Evidence, and what deleting needs. */
const LEAST_FREE_BYTES = 32 * 1024 * 1024
const LEAST_FREE_FILES = 16

/** Everything that a person should look at now, worst first. Holds nothing personal. */
export function judgeCondition(condition: Condition, now: EpochMs): Warning[] {
  return [
    ...judgeStore(condition, now),
    ...judgeRecords(condition),
    ...judgeModels(condition),
    ...judgeCameras(condition),
    ...judgeRedactions(condition),
    ...judgeDelivery(condition, now),
    ...judgeCertificates(condition, now),
    ...judgeClock(condition, now),
  ]
}

function judgeStore({ store, disk }: Condition, now: EpochMs): Warning[] {
  const { failedAt, bytes, maxBytes } = store
  const warnings = judgeDamage(store)
  if (failedAt !== null && now - failedAt <= FAILED_DISK_MS)
    warnings.push(
      warning('ERR_STORE_IO', `the disk refused a write at ${iso(failedAt)}; the store was opened anew`),
    )
  const share = bytes / maxBytes
  if (share >= FULL_SHARE)
    warnings.push(warning('ERR_STORE_NEARLY_FULL', `the store is ${Math.floor(share * 100)} % full`))
  return disk ? [...warnings, ...judgeDisk(disk)] : warnings
}

function judgeDamage({
  damaged,
  keyless,
  missingRows,
  holdsEverything,
  setAsides,
}: Condition['store']): Warning[] {
  const warnings: Warning[] = []
  if (damaged > 0) warnings.push(warning('ERR_STORE_CORRUPT', `${damaged} evidence cannot be read any more`))
  if (keyless > 0) warnings.push(warning('ERR_DAY_KEY', `the keys of ${keyless} evidence are gone`))
  if (missingRows > 0)
    warnings.push(
      warning('ERR_STORE_ROLLED_BACK', `the store has gone back by ${missingRows} rows of its audit log`),
    )
  if (holdsEverything !== undefined)
    warnings.push(
      warning(
        'ERR_EVERYTHING_HELD',
        `holds may have been lost: nothing is deleted while the case ${holdsEverything} holds everything`,
      ),
    )
  for (const { at, saved, lost, unnamed, lostUnderHold } of setAsides) {
    const more = unnamed === 0 ? '' : `, and up to ${unnamed} more that nothing names`
    const held = heldText(lostUnderHold)
    const counts = `${saved} evidence were saved, ${lost.length} were not${more}`
    const message = `the store was damaged on ${at.slice(0, 10)}: ${counts}${held && `; lost under a legal hold: ${held}`}`
    warnings.push(warning('ERR_STORE_SALVAGED', message))
  }
  return warnings
}

/** The first of them by name: why.json has all. */
function heldText(lost: Condition['store']['setAsides'][number]['lostUnderHold']): string {
  const named = lost
    .slice(0, MAX_NAMED)
    .map(({ evidenceId, cases }) => `${evidenceId}${cases.length > 0 ? ` (case ${cases.join(', ')})` : ''}`)
  const more = lost.length > MAX_NAMED ? [`${lost.length - MAX_NAMED} more`] : []
  return [...named, ...more].join(', ')
}

/** Also what a look at the disk without a running vault is judged by. */
export function judgeDisk({ freeBytes, freeFiles }: NonNullable<Condition['disk']>): Warning[] {
  const warnings: Warning[] = []
  if (freeBytes < LEAST_FREE_BYTES)
    warnings.push(
      warning('ERR_DISK_FULL', `the disk of the store has ${Math.floor(freeBytes / 1e6)} MB left`),
    )
  if (freeFiles !== null && freeFiles < LEAST_FREE_FILES)
    warnings.push(
      warning('ERR_DISK_FULL', `the disk of the store has room for ${freeFiles} more files (inodes)`),
    )
  return warnings
}

function judgeRecords({ auditFault, key }: Condition): Warning[] {
  return [
    ...(auditFault === undefined ? [] : [warning('ERR_AUDIT_BROKEN', auditFault)]),
    ...(key ? [warning(key.code, key.message)] : []),
  ]
}

/** Also for a look without a running vault. */
export function judgeModels({ models }: Pick<Condition, 'models'>): Warning[] {
  if (!models) return [warning('ERR_MODEL_MANIFEST', 'the manifest of the networks cannot be read')]
  return models.flatMap(({ file, state }) => {
    if (state === 'ok') return []
    return state === 'wrong'
      ? [warning('ERR_MODEL_HASH', `${file} is not the file in the manifest`)]
      : [warning('ERR_MODEL_MISSING', `${file} is missing`)]
  })
}

function judgeCameras(condition: Condition): Warning[] {
  const { vision, cameras, selftest } = condition
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
  return [...untrusted, ...down]
}

function judgeRedactions({ uncheckedRedactions, unverifiedRedactions }: Condition): Warning[] {
  const failed = [
    ['ERR_REDACTION_UNVERIFIED', unverifiedRedactions],
    ['ERR_REDACTION_UNCHECKED', uncheckedRedactions],
  ] as const
  return failed
    .filter(([, count]) => count > 0)
    .map(([code, count]) =>
      warning(
        code,
        `${count} violations of the last ${DISCARDED_DAYS} days left no evidence (${ERROR_WORDS[code]})`,
      ),
    )
}

function judgeDelivery({ broker, outbox }: Condition, now: EpochMs): Warning[] {
  const warnings = judgeBacklog({ outbox }, now)
  if (!broker.connected) {
    const code = broker.code ?? undefined
    warnings.push(warning(isKnown(code) ? code : 'ERR_BROKER_LOST', 'the broker is not connected'))
  }
  for (const { code, count } of outbox.setAside) {
    if (isKnown(code))
      warnings.push(warning(code, `${count} evidence could not be delivered and wait for another try`))
  }
  return warnings
}

/** Also for a look without a running vault. */
export function judgeBacklog({ outbox }: Pick<Condition, 'outbox'>, now: EpochMs): Warning[] {
  const warnings: Warning[] = []
  const ageMs = outbox.oldestAt === null ? 0 : now - outbox.oldestAt
  if (outbox.count > 0 && ageMs > BACKLOG_MS) {
    const hours = Math.floor(ageMs / HOUR_MS)
    warnings.push(
      warning('ERR_BACKLOG_OLD', `${outbox.count} evidence wait for a receipt, the oldest for ${hours} h`),
    )
  }
  return warnings
}

/** Also for a look without a running vault. */
export function judgeCertificates(
  { certificates }: Pick<Condition, 'certificates'>,
  now: EpochMs,
): Warning[] {
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

function judgeClock(condition: Pick<Condition, 'clock' | 'clockPlausible'>, now: EpochMs): Warning[] {
  return [...judgePlausibility(condition, now), ...judgeSynchronization(condition)]
}

/** Also for a look without a running vault. */
export function judgePlausibility(
  { clockPlausible }: Pick<Condition, 'clockPlausible'>,
  now: EpochMs,
): Warning[] {
  if (clockPlausible) return []
  const message = `the clock shows ${iso(now)}, which is past already: nothing is purged by age, and no command is taken`
  return [warning('ERR_CLOCK_WRONG', message)]
}

/** Also for a look at the machine alone. */
export function judgeSynchronization({ clock }: Pick<Condition, 'clock'>): Warning[] {
  if (clock.synchronized === true) return []
  const message =
    clock.synchronized === null
      ? 'it is not known whether the clock is synchronized'
      : `the clock is not synchronized (${clock.source})`
  return [warning('ERR_CLOCK_UNSYNCHRONIZED', message)]
}

const ERROR_WORDS = {
  ERR_REDACTION_UNVERIFIED: 'found again after redaction',
  ERR_REDACTION_UNCHECKED: 'a frame could not be checked',
} as const

function isKnown(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(ERRORS, code)
}

function warning(code: ErrorCode, message: string): Warning {
  return { code, message, hint: ERRORS[code].hint }
}
