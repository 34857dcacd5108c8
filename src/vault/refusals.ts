import type { EpochMs } from '../domain/frame.ts'
import type { ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Audit } from '../store/audit.ts'
import { pause } from '../waiting.ts'

/** A command that was not taken. */
export interface Refusal {
  /** As its topic says. */
  readonly commandId: string
  readonly code: ErrorCode
  /** Of what came, lower-case hex. */
  readonly sha256: string
}

/** The record of refused commands. */
export interface Refusals {
  /**
   * Records a refusal; true where it got a row of its own. Whoever floods the box with forgeries must not fill the audit log, wear out
   * the disk or have the box sign for him: beyond ten an hour they are counted, and one row an hour says how many of which code.
   */
  add(refusal: Refusal): boolean
  /** Since the start. */
  count(): number
  /** Records what was only counted, once an hour and at the end. */
  run(signal: AbortSignal): Promise<void>
}

const HOUR_MS = 3_600_000
const ROWS_AN_HOUR = 10
const LOOK_EVERY_MS = 60_000

export function createRefusals(deps: {
  readonly audit: Pick<Audit, 'record'>
  /** The host's clock. */
  readonly now: () => EpochMs
  readonly logger: Logger
}): Refusals {
  const { audit, now, logger } = deps
  /** Where the hour began: a monotonic clock, since the other one may be what is wrong. */
  let hourBeganAt = performance.now()
  let rows = 0
  let total = 0
  const counted = new Map<ErrorCode, number>()

  const record = (work: () => void): void => {
    try {
      work()
    } catch (error) {
      // A store that takes nothing now is no reason to stop; the log has it.
      logger.error('a refused command could not be recorded', { error })
    }
  }

  const flush = (): void => {
    const count = [...counted.values()].reduce((sum, each) => sum + each, 0)
    if (count === 0) return
    const codes = [...counted].map(([code, of]) => `${code} ${of}`).join(', ')
    counted.clear()
    logger.warn('more commands were refused', { count })
    record(() => audit.record('commands-refused', { count, codes }, now()))
  }

  const turnHour = (): void => {
    if (performance.now() - hourBeganAt < HOUR_MS) return
    hourBeganAt = performance.now()
    rows = 0
    flush()
  }

  return {
    add({ commandId, code, sha256 }) {
      turnHour()
      total += 1
      if (rows >= ROWS_AN_HOUR) {
        counted.set(code, (counted.get(code) ?? 0) + 1)
        return false
      }
      rows += 1
      record(() => audit.record('command-refused', { commandId, code, sha256 }, now()))
      return true
    },
    count: () => total,
    async run(signal) {
      try {
        while (!signal.aborted) {
          await pause(LOOK_EVERY_MS, signal)
          turnHour()
        }
      } finally {
        flush()
      }
    },
  }
}
