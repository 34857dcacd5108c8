import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { ClockState } from '../domain/evidence.ts'
import { iso } from '../domain/frame.ts'

/** What the host's clock is worth, asked of whoever keeps it. */

/** Where to ask; the defaults are the real ones. */
export interface ClockSources {
  /** Runs a program and gives its standard output; rejects where it is missing or fails. */
  readonly run: (program: string, args: readonly string[]) => Promise<string>
  /** systemd-timesyncd's state directory; it holds `synchronized`, touched at each synchronization. */
  readonly timesyncDirectory: string
}

const TIMEOUT_MS = 2_000
/** Nothing of our own environment; English answers. */
const PROGRAM_ENV = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }

const HOST: ClockSources = {
  run: async (program, args) =>
    (await promisify(execFile)(program, args, { timeout: TIMEOUT_MS, maxBuffer: 65_536, env: PROGRAM_ENV }))
      .stdout,
  timesyncDirectory: '/run/systemd/timesync',
}

/** Reads the state of the clock: from chrony, else systemd-timesyncd, else the kernel, else unknown. Never throws. */
export async function readClockState(sources: ClockSources = HOST): Promise<ClockState> {
  return (
    (await readChrony(sources)) ??
    (await readTimesyncd(sources)) ??
    (await readKernel(sources)) ?? {
      synchronized: null,
      source: 'unknown',
      offsetMs: null,
      lastSyncAt: null,
    }
  )
}

/** Whether a time server keeps the clock, as whoever keeps it says. */
export async function isClockKept(sources: ClockSources = HOST): Promise<boolean> {
  return (await readClockState(sources)).synchronized === true
}

/** The id that the kernel drew when this machine started, from random(4). */
export async function readBootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()
}

/**
 * chronyc(1), `-c tracking`: reference id, its name, stratum, time of the last update (seconds since 1970), offset of the
 * system clock (seconds, negative when it is behind), six or more columns, leap status last.
 */
async function readChrony({ run }: ClockSources): Promise<ClockState | undefined> {
  const line = await run('chronyc', ['-c', 'tracking']).catch(() => '')
  const columns = line.trim().split(',')
  const updatedAt = Number(columns[3])
  const offset = Number(columns[4])
  const leap = columns.at(-1)
  if (columns.length < 14 || !Number.isFinite(updatedAt) || !Number.isFinite(offset)) return undefined
  const synchronized = leap !== 'Not synchronised'
  return {
    synchronized,
    source: 'chrony',
    offsetMs: synchronized ? offset * 1000 : null,
    lastSyncAt: updatedAt > 0 ? iso(updatedAt * 1000) : null,
  }
}

async function readTimesyncd({ timesyncDirectory }: ClockSources): Promise<ClockState | undefined> {
  if (!(await stat(timesyncDirectory).catch(() => undefined))) return undefined
  const synced = await stat(`${timesyncDirectory}/synchronized`).catch(() => undefined)
  return {
    synchronized: synced !== undefined,
    source: 'systemd-timesyncd',
    offsetMs: null,
    lastSyncAt: synced ? iso(synced.mtimeMs) : null,
  }
}

/** The kernel's own flag (STA_UNSYNC of adjtimex(2)), which timedatectl(1) shows as NTPSynchronized. */
async function readKernel({ run }: ClockSources): Promise<ClockState | undefined> {
  const answer = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value']).catch(() => '')
  const word = answer.trim()
  if (word !== 'yes' && word !== 'no') return undefined
  return { synchronized: word === 'yes', source: 'kernel', offsetMs: null, lastSyncAt: null }
}
