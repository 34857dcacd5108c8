/**
 * Passes items from a producer to one consumer, at most one waiting.
 *
 * `offer` never waits and replaces what was not fetched; `put` waits until its item was fetched.
 */
export class Handover<T> implements AsyncIterable<T> {
  #waiting: { readonly item: T; readonly taken: () => void } | undefined
  #consumer: (() => void) | undefined
  #end: { readonly error?: unknown } | undefined

  /** Hands over the newest item. Returns false if it replaced one that was never fetched. */
  offer(item: T): boolean {
    const replaced = this.#waiting
    replaced?.taken()
    this.#set({ item, taken: () => undefined })
    return replaced === undefined
  }

  /** Hands over an item and waits until it was fetched or nobody will fetch it any more. */
  async put(item: T): Promise<void> {
    if (this.#end) return
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.#set({ item, taken: () => resolve(undefined) })
    await promise
  }

  /** Nothing follows. The consumer's loop ends, or throws `error`, after the item that waits. */
  end(error?: unknown): void {
    this.#end ??= error === undefined ? {} : { error }
    this.#consumer?.()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const waiting = this.#waiting
        if (waiting) {
          this.#waiting = undefined
          waiting.taken()
          yield waiting.item
        } else if (this.#end) {
          if ('error' in this.#end) throw this.#end.error
          return
        } else {
          const { promise, resolve } = Promise.withResolvers<undefined>()
          this.#consumer = () => resolve(undefined)
          await promise
        }
      }
    } finally {
      this.#end ??= {}
      this.#waiting?.taken()
      this.#waiting = undefined
    }
  }

  #set(waiting: { readonly item: T; readonly taken: () => void }): void {
    if (this.#end) return
    this.#waiting = waiting
    this.#consumer?.()
  }
}
