import { readFileSync, readdirSync } from 'node:fs'

/** What a process and everything that it started have used so far. */
export interface Usage {
  /** CPU seconds, user and system, ended children included. */
  readonly cpuSeconds: number
  /** Proportional set size of the processes alive now, MB; shared pages are counted once. */
  readonly memoryMb: number
}

const TICKS_PER_SECOND = 100

/** Reads /proc for a process and its living descendants. */
export function usageOf(pid: number, memoryOf: (command: string) => boolean = () => true): Usage {
  const children = new Map<number, number[]>()
  for (const entry of readdirSync('/proc')) {
    const id = Number(entry)
    const parent = Number.isInteger(id) ? statOf(id)?.parent : undefined
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), id])
  }
  let ticks = 0
  let memory = 0
  const visit = (id: number): void => {
    const stat = statOf(id)
    if (!stat) return
    ticks += stat.ticks
    if (memoryOf(commandOf(id))) memory += pssKb(id)
    for (const child of children.get(id) ?? []) visit(child)
  }
  visit(pid)
  return { cpuSeconds: ticks / TICKS_PER_SECOND, memoryMb: memory / 1024 }
}

/**
 * CPU seconds since the start that this machine wanted and its host gave to others: field steal of proc_stat(5); 0 on real
 * hardware. Where it is not small, times on the clock say more about the neighbours than about us.
 */
export function stolenSeconds(): number {
  const fields = readFileSync('/proc/stat', 'utf8').split('\n')[0]?.trim().split(/\s+/) ?? []
  return Number(fields[8] ?? 0) / TICKS_PER_SECOND
}

function statOf(pid: number): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    // After the name in brackets: state, ppid, …; utime, stime, cutime, cstime are fields 14-17 of proc_pid_stat(5).
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
      .map(Number)
    const [parent = 0] = fields.slice(1)
    return { parent, ticks: fields.slice(11, 15).reduce((sum, value) => sum + value, 0) }
  } catch {
    return undefined
  }
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return ''
  }
}

function pssKb(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
