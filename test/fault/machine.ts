import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { processTree, startedWith } from '../support/traces.ts'
import type { Planted } from './planted.ts'

/** Watches what a suite leaves on the machine beside its own folder: process lists, temporary files, core dumps. */
export interface MachineWatch extends Disposable {
  /** Says where anything planted was seen so far. */
  search(planted: Planted): Promise<readonly string[]>
}

const EVERY_MS = 200
/** Folders of suites beside this one, which may hold the same plate where their city opened it; each searches its own. */
const OTHERS = /^rvf-/

/** Begins to watch. The suite's own folder is searched by others. */
export function watchMachine(ownFolder: string): MachineWatch {
  const places = [tmpdir(), process.cwd(), ...coreFolder()]
  const before = new Map(places.map((place) => [place, new Set(namesIn(place))]))
  const started = new Set<string>()
  const sample = (): void => {
    for (const { pid } of processTree(process.pid)) if (pid !== process.pid) started.add(startedWith(pid))
  }
  const timer = setInterval(sample, EVERY_MS)
  sample()
  return {
    [Symbol.dispose]: () => clearInterval(timer),
    async search(planted) {
      sample()
      const made = places.flatMap((place) =>
        namesIn(place)
          .filter(
            (name) => !before.get(place)?.has(name) && !OTHERS.test(name) && name !== basename(ownFolder),
          )
          .map((name) => join(place, name)),
      )
      return [
        ...new Set([...started].flatMap((text) => planted.within('what a process was started with', text))),
        ...(await planted.search(made)),
      ]
    },
  }
}

/** Where the kernel puts core dumps, where that is a folder and not a program: core(5). */
function coreFolder(): string[] {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim()
  return pattern.startsWith('/') && existsSync(dirname(pattern)) ? [dirname(pattern)] : []
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
