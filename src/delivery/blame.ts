/**
 * Finds out for which evidence the broker ends the connection. It does so at once, or says nothing until the time is over: what has
 * been on its way for long without a word when a connection breaks is suspicious by itself. Of what was sent just before, any may be
 * why: these are suspects, and go one at a time for a while. Nobody is blamed for another one's message.
 */
export interface Blame {
  /** A connection begins: nothing is on its way. */
  begin(): void
  /** What a try has on its way, counted from now on. */
  open(): Wire
  /** The try has ended, and the connection goes on. */
  close(wire: Wire): void
  /** The connection is going to end, and it is known for what: nobody becomes a suspect. */
  acquitOthers(): void
  /**
   * Judges a try that ended with the connection, and remembers it.
   *
   * @param most when so many connections broke while it was suspicious by itself or the only suspect, and nothing of it got through, it
   *     is why; with 1, others do not count.
   * @returns whether it is why
   */
  judge(evidenceId: string, wire: Wire, most: number): boolean
  /** Nothing is held against it any more: it got through, or was set aside. */
  clear(evidenceId: string): void
  isSuspect(evidenceId: string): boolean
}

/** What a try has sent, to be told when it has failed. */
export interface Wire {
  /** Chunks that the broker has. */
  readonly chunks: number
  sent(): void
  acknowledged(message: 'manifest' | 'chunk'): void
  /** How long the broker has owed an answer, in ms; undefined where it owes none. */
  silentMs(): number | undefined
}

/** @param soonMs for which a suspect goes alone; after so long, whatever the broker has not answered is not what it hangs up at. */
export function createBlame(soonMs: number): Blame {
  /** Connections that broke since any of its chunks got through. */
  const breaks = new Map<string, number>()
  const suspects = new Set<string>()
  let wires = new Set<Wire>()
  let isCauseKnown = false

  const clear = (evidenceId: string): void => {
    breaks.delete(evidenceId)
    suspects.delete(evidenceId)
  }
  const isJustSent = (wire: Wire): boolean => (wire.silentMs() ?? Infinity) < soonMs

  return {
    begin() {
      wires = new Set()
      isCauseKnown = false
    },
    open() {
      const wire = createWire()
      wires.add(wire)
      return wire
    },
    close: (wire) => void wires.delete(wire),
    acquitOthers: () => void (isCauseKnown = true),
    judge(evidenceId, wire, most) {
      if (wire.chunks > 0) {
        clear(evidenceId)
        return false
      }
      // It had nothing on its way: another one's fault, or nobody's, and no word for this one.
      if (wire.silentMs() === undefined) return false
      if (most > 1 && isJustSent(wire)) {
        if (isCauseKnown) return false
        suspects.add(evidenceId)
        if ([...wires].filter(isJustSent).length > 1) return false
      }
      const count = (breaks.get(evidenceId) ?? 0) + 1
      breaks.set(evidenceId, count)
      return count >= most
    },
    clear,
    isSuspect: (evidenceId) => suspects.has(evidenceId),
  }
}

function createWire(): Wire {
  let owed = 0
  let since = 0
  let chunks = 0
  return {
    get chunks() {
      return chunks
    },
    sent() {
      if (owed === 0) since = performance.now()
      owed += 1
    },
    acknowledged(message) {
      owed -= 1
      since = performance.now()
      if (message === 'chunk') chunks += 1
    },
    silentMs: () => (owed > 0 ? performance.now() - since : undefined),
  }
}
