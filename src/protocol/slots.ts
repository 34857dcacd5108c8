/** A fixed number of slots: who finds none free waits, first come first served. */
export interface Slots {
  /** Runs `work` in a slot and frees it afterwards. */
  use<T>(work: () => Promise<T>): Promise<T>
}

/** Creates `count` slots. */
export function createSlots(count: number): Slots {
  let free = count
  const waiting: (() => void)[] = []
  return {
    async use(work) {
      if (free > 0) free -= 1
      else await new Promise<void>((resolve) => waiting.push(resolve))
      try {
        return await work()
      } finally {
        // The slot is handed over directly, so that no newcomer can take it from the one who waited.
        const next = waiting.shift()
        if (next) next()
        else free += 1
      }
    },
  }
}
