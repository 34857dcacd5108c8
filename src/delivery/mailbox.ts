import type { Receipt } from '../domain/receipt.ts'

/** Where the receipts for one evidence arrive while it is being delivered. */
export interface Mailbox {
  put(receipt: Receipt): void
  /** The receipt that lies here or comes next, or undefined when none comes in time. Throws the signal's reason. */
  take(timeoutMs: number, signal: AbortSignal): Promise<Receipt | undefined>
  /** Throws away a request for chunks that was overtaken by sending them. */
  dropRequest(): void
}

/** Creates an empty mailbox. The latest receipt counts, except that nothing replaces the city's word that it has it. */
export function createMailbox(): Mailbox {
  let letter: Receipt | undefined
  let deliver: ((receipt: Receipt) => void) | undefined
  return {
    put(receipt) {
      if (deliver) deliver(receipt)
      else if (letter?.status !== 'stored' && letter?.status !== 'duplicate') letter = receipt
    },
    async take(timeoutMs, signal) {
      signal.throwIfAborted()
      const waiting = letter
      letter = undefined
      if (waiting) return waiting
      const { promise, resolve, reject } = Promise.withResolvers<Receipt | undefined>()
      const timer = setTimeout(() => {
        resolve(undefined)
      }, timeoutMs)
      const aborted = (): void => {
        reject(signal.reason as Error)
      }
      signal.addEventListener('abort', aborted)
      deliver = resolve
      try {
        return await promise
      } finally {
        deliver = undefined
        clearTimeout(timer)
        signal.removeEventListener('abort', aborted)
      }
    },
    dropRequest() {
      if (letter?.status === 'incomplete') letter = undefined
    },
  }
}
