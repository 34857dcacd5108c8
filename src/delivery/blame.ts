/**
 * Finds out for which evidence the broker ends the connection. What several had on their way when it broke makes suspects of them all:
 * they go one at a time then, each alone for a while, until the broker or the city has let it through or the connection has broken
 * again and again with nothing else on its way. Nobody is blamed for another one's message.
 */
export interface Blame {
  /** A connection begins: nothing is on its way. */
  begin(): void
  /** What a try has on its way, counted from now on. */
  open(): Wire
  /** The try has ended, and the connection goes on. */
  close(wire: Wire): void
  /**
   * Judges a try that ended with the connection.
   *
   * @param breaks when it broke so often with nothing else on its way and nothing got through, this evidence is why
   * @returns whether it is
   */
  isWhy(evidenceId: string, wire: Wire, breaks: number): boolean
  /** Nothing is held against it any more: it got through, or was set aside. */
  clear(evidenceId: string): void
  isSuspect(evidenceId: string): boolean
  /** How long this evidence goes alone where it has to, in ms. It doubles each time that it is under suspicion. */
  aloneMs(evidenceId: string): number
}

/** What a try has sent, to be told when it has failed. */
export interface Wire {
  /** Messages that the broker has not acknowledged. */
  unacknowledged: number
  /** Chunks that it has. */
  chunks: number
}

/** @param aloneMs for which a suspect goes alone the first time: usually the broker hangs up at once. */
export function createBlame(aloneMs: number): Blame {
  /** Connections that broke with nothing else on its way, since any of its chunks got through. */
  const breaks = new Map<string, number>()
  const suspicions = new Map<string, number>()
  let wires = new Set<Wire>()

  const add = (to: Map<string, number>, evidenceId: string): number => {
    const count = (to.get(evidenceId) ?? 0) + 1
    to.set(evidenceId, count)
    return count
  }
  const clear = (evidenceId: string): void => {
    breaks.delete(evidenceId)
    suspicions.delete(evidenceId)
  }

  return {
    begin() {
      wires = new Set()
    },
    open() {
      const wire = { unacknowledged: 0, chunks: 0 }
      wires.add(wire)
      return wire
    },
    close: (wire) => void wires.delete(wire),
    isWhy(evidenceId, wire, most) {
      if (wire.chunks > 0) {
        clear(evidenceId)
        return false
      }
      // It had nothing on its way: another one's fault, or nobody's, and no word for this one.
      if (wire.unacknowledged === 0) return false
      const others = [...wires].filter((other) => other !== wire && other.unacknowledged > 0)
      if (most > 1 && others.length > 0) {
        add(suspicions, evidenceId)
        return false
      }
      return add(breaks, evidenceId) >= most
    },
    clear,
    isSuspect: (evidenceId) => suspicions.has(evidenceId),
    aloneMs: (evidenceId) => aloneMs * 2 ** Math.max(0, (suspicions.get(evidenceId) ?? 0) - 1),
  }
}
