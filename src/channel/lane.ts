import { RoadveilError } from '../errors.ts'

/** What vault said about one evidence: kept for good, or refused for good. */
export type Answer = 'stored' | { readonly refused: string }

/** Things to be confirmed one after the other: one is under way, the others wait in order. */
export interface Lane {
  /** Adds one thing; resolves with vault's last word about it, however many connections that takes. */
  push(evidenceId: string, encoded: readonly Uint8Array[]): Promise<Answer>
  /** A connection is open: sends the first thing that is not confirmed. */
  attach(send: (encoded: readonly Uint8Array[]) => void): void
  /** The connection is gone: what was under way will be sent again. */
  detach(): void
  /** Takes an answer; false if it is about nothing under way here. */
  answer(evidenceId: string, answer: Answer | 'again'): boolean
  /** Rejects everything that waits. */
  close(): void
  /** How many are not confirmed. */
  readonly waiting: number
}

interface Entry {
  readonly evidenceId: string
  readonly encoded: readonly Uint8Array[]
  readonly settle: PromiseWithResolvers<Answer>
}

/** How long to keep what vault could not take now (its store is full, say). */
const AGAIN_MS = { first: 1_000, most: 60_000 } as const

export function createLane(): Lane {
  const entries: Entry[] = []
  let send: ((encoded: readonly Uint8Array[]) => void) | undefined
  let underWay = false
  let closed = false
  let againMs: number = AGAIN_MS.first
  let timer: NodeJS.Timeout | undefined

  const sendFirst = (): void => {
    const [first] = entries
    if (!first || !send || underWay) return
    underWay = true
    send(first.encoded)
  }
  const rest = (): void => {
    clearTimeout(timer)
    timer = undefined
  }

  return {
    async push(evidenceId, encoded) {
      if (closed) throw closedError()
      const settle = Promise.withResolvers<Answer>()
      entries.push({ evidenceId, encoded, settle })
      sendFirst()
      return settle.promise
    },
    attach(sendEncoded) {
      send = sendEncoded
      underWay = false
      sendFirst()
    },
    detach() {
      rest()
      send = undefined
      underWay = false
    },
    answer(evidenceId, answer) {
      const [first] = entries
      if (!underWay || first?.evidenceId !== evidenceId) return false
      if (answer === 'again') {
        timer = setTimeout(() => {
          underWay = false
          sendFirst()
        }, againMs)
        againMs = Math.min(againMs * 2, AGAIN_MS.most)
        return true
      }
      entries.shift()
      underWay = false
      againMs = AGAIN_MS.first
      first.settle.resolve(answer)
      sendFirst()
      return true
    },
    close() {
      closed = true
      rest()
      for (const { settle } of entries.splice(0)) settle.reject(closedError())
    },
    get waiting() {
      return entries.length
    },
  }
}

function closedError(): RoadveilError {
  return new RoadveilError('ERR_CHANNEL_CLOSED', 'the channel to vault was closed before vault confirmed')
}
