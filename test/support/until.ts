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

/** Waits until nothing is left, however much it is, and fails when for two minutes it gets no less. */
export async function untilNoneLeft(
  what: string,
  left: () => number | Promise<number>,
  { stalledMs = 120_000, everyMs = 50 }: { readonly stalledMs?: number; readonly everyMs?: number } = {},
): Promise<void> {
  let [least, at] = [Infinity, Date.now()]
  for (;;) {
    const now = await left()
    if (now === 0) return
    if (now < least) [least, at] = [now, Date.now()]
    if (Date.now() > at + stalledMs) throw new Error(`waited in vain until ${what}: ${least} left`)
    await sleep(everyMs)
  }
}
