import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** Name of a day's log file; retention deletes what ends in `.log`. */
function logFileName(day: string): string {
  return `roadveil-${day}.log`
}

/** Writes log lines to one file a day (UTC), readable by nobody else. */
export interface LogFile extends Disposable {
  write(line: string): void
}

/**
 * Opens the log files of a folder, which is made if it is missing.
 *
 * A full disk must not stop the box: what cannot be written is reported once through `onFailure`, until it works again.
 */
export function openLogFile(
  folder: string,
  onFailure: () => void,
  now: () => Date = () => new Date(),
): LogFile {
  let day = ''
  let descriptor: number | undefined
  let failing = false

  const close = (): void => {
    if (descriptor !== undefined) closeSync(descriptor)
    descriptor = undefined
  }
  const openDay = (today: string): number => {
    if (descriptor !== undefined && today === day) return descriptor
    close()
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    descriptor = openSync(join(folder, logFileName(today)), 'a', 0o600)
    day = today
    return descriptor
  }
  return {
    write(line) {
      try {
        writeSync(openDay(now().toISOString().slice(0, 10)), `${line}\n`)
        failing = false
      } catch {
        if (!failing) onFailure()
        failing = true
      }
    },
    [Symbol.dispose]: close,
  }
}
