import { setTimeout as sleep } from 'node:timers/promises'

/** Waits until something is true, and fails after two minutes: machines that test are busy. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  { withinMs = 120_000, everyMs = 20 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<void> {
  for (const end = Date.now() + withinMs; !(await isTrue());) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`)
    await sleep(everyMs)
  }
}
