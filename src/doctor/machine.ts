import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { modelStates } from '../models/states.ts'
import { loadModelSource } from '../models/source.ts'
import { readClockState } from '../health/clock.ts'
import { judgeModels, judgeSynchronization } from '../health/warnings.ts'
import { type Check, fault, judged, look, ok, warn } from './check.ts'

/** Looks at what does not depend on the config: programs, networks, clock, and where memory could be written to. */
export async function checkMachine(): Promise<readonly Check[]> {
  const all = await Promise.all([
    checkPrograms(),
    look('models', checkModels),
    look('clock', async () => {
      const clock = await readClockState()
      return judged('clock', judgeSynchronization({ clock }), `synchronized (${clock.source})`)
    }),
    look('swap', checkSwap),
    look('core dumps', checkCoreDumps),
  ])
  return all.flat()
}

const PROGRAM_MS = 10_000
const OLDEST_FFMPEG = [5, 1] as const

async function checkPrograms(): Promise<readonly Check[]> {
  const run = async (program: string, option: string): Promise<string | undefined> =>
    promisify(execFile)(program, [option], { timeout: PROGRAM_MS }).then(
      ({ stdout }) => stdout,
      () => undefined,
    )
  const [ffmpeg, setpriv, prlimit] = await Promise.all([
    run('ffmpeg', '-version'),
    run('setpriv', '--version'),
    run('prlimit', '--version'),
  ])
  const [, major = NaN, minor = NaN] = (/^ffmpeg version n?(\d+)\.(\d+)/.exec(ffmpeg ?? '') ?? []).map(Number)
  const isOld = major < OLDEST_FFMPEG[0] || (major === OLDEST_FFMPEG[0] && minor < OLDEST_FFMPEG[1])
  const missing = [setpriv === undefined && 'setpriv', prlimit === undefined && 'prlimit'].filter(
    (name) => name !== false,
  )
  return [
    ffmpeg === undefined
      ? fault('ffmpeg', 'ERR_FFMPEG_MISSING', 'ffmpeg cannot be started')
      : isOld
        ? fault('ffmpeg', 'ERR_FFMPEG_MISSING', `ffmpeg is ${major}.${minor}`)
        : ok('ffmpeg', Number.isNaN(major) ? 'there' : `${major}.${minor}`),
    missing.length === 0
      ? ok('setpriv', 'setpriv and prlimit are there')
      : fault('setpriv', 'ERR_INSTALLATION', `${missing.join(' and ')} cannot be started`),
  ]
}

async function checkModels(): Promise<readonly Check[]> {
  const models = await modelStates(await loadModelSource())
  const bad = judgeModels({ models })
  if (bad.length === 0) return [ok('models', `${models.length} networks, as the manifest pins them`)]
  return bad.map(({ code, message }) => fault('models', code, message))
}

/** proc(5): a head line, then a line a swap space. What is compressed into memory is not written to a disk. */
async function checkSwap(): Promise<readonly Check[]> {
  const spaces = (await readFile('/proc/swaps', 'utf8')).trim().split('\n').slice(1)
  const onDisk = spaces.filter((line) => !line.startsWith('/dev/zram')).map((line) => line.split(/\s/)[0])
  if (onDisk.length === 0) return [ok('swap', 'off')]
  return [warn('swap', 'ERR_SWAP_ON', `memory can be written to ${onDisk.join(', ')}`)]
}

/** core(5): a limit of 0 keeps files from being written, but not a program from being given the memory. */
async function checkCoreDumps(): Promise<readonly Check[]> {
  const pattern = (await readFile('/proc/sys/kernel/core_pattern', 'utf8')).trim()
  if (!pattern.startsWith('|')) return [ok('core dumps', 'off for the processes of Roadveil')]
  const program = pattern.slice(1).trim().split(/\s/)[0] ?? ''
  return [warn('core dumps', 'ERR_CORE_DUMPS', `${program} is given the memory of a process that crashes`)]
}
