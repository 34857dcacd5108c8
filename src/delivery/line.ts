import { pause } from '../waiting.ts'

/**
 * The line in which evidence arrives at the city: in the order of storing, unless the one in front gets nowhere for too long. It may
 * be sent in advance but for its last part, which makes the city store it.
 */
export interface Line {
  /** Takes the place that this sequence number has in the order. Who comes back goes on where it left. */
  join(sequence: number): Place
  /** Whether the one in front has got nowhere for as long as the others wait. */
  isStuck(): boolean
}

/** A place in the line. */
export interface Place {
  /** Waits until nothing is in front, or the line is stuck: then it gives true, for who passes another. Throws the signal's reason. */
  turn(signal: AbortSignal): Promise<boolean>
  /** Says that it is getting on. */
  progressed(): void
  /** Settled evidence gets the line going; any other leaves it as stuck as it was. */
  leave(how: 'settled' | 'unsettled'): void
}

/** For evidence that was set aside: nobody waits for it, and it waits for nobody. */
export const ASIDE: Place = {
  turn: async () => false,
  progressed: () => undefined,
  leave: () => undefined,
}

/** Creates an empty line. */
export function createLine(patienceMs: number): Line {
  const members = new Set<number>()
  /** How long those had got nowhere that left from the front. While there is no connection nobody's time runs. */
  const spentMs = new Map<number, number>()
  let movedAt = 0
  let change = Promise.withResolvers<undefined>()

  const isFront = (sequence: number): boolean => Math.min(...members) === sequence
  const waitMs = (): number => Math.max(0, movedAt + patienceMs - performance.now())
  const moved = (): void => {
    movedAt = performance.now()
    spentMs.clear()
  }

  return {
    isStuck: () => waitMs() === 0,
    join(sequence) {
      members.add(sequence)
      if (isFront(sequence)) movedAt = performance.now() - (spentMs.get(sequence) ?? 0)
      return {
        async turn(signal) {
          while (!isFront(sequence) && waitMs() > 0) {
            const over = new AbortController()
            const either = AbortSignal.any([signal, over.signal])
            await Promise.race([change.promise, pause(waitMs(), either)])
            over.abort()
            signal.throwIfAborted()
          }
          return !isFront(sequence)
        },
        progressed() {
          if (isFront(sequence)) moved()
        },
        leave(how) {
          if (isFront(sequence)) {
            if (how === 'settled') moved()
            else spentMs.set(sequence, performance.now() - movedAt)
          }
          members.delete(sequence)
          change.resolve(undefined)
          change = Promise.withResolvers()
        },
      }
    },
  }
}
