import type { Planted } from '../planted.ts'
import type { Step } from './recording.ts'

/** Where anything planted was written to a file or said, were it only for a moment; key files may hold keys. */
export function leaksIn(steps: readonly Step[], planted: Planted): readonly string[] {
  const open = new Map<number, string>()
  const hits = new Set<string>()
  for (const step of steps) {
    if (step.kind === 'ended') open.clear()
    if (step.kind === 'opened') open.set(step.fd, step.path)
    if (step.kind === 'said') for (const hit of planted.within('a line on stdout', step.line)) hits.add(hit)
    if (step.kind !== 'wrote') continue
    const path = open.get(step.fd) ?? 'a file'
    if (!planted.isExcepted(path)) for (const hit of planted.within(path, step.bytes)) hits.add(hit)
  }
  return [...hits]
}
