/** Takes exact numbers of bytes out of a stream of chunks. Holds one chunk and what was asked for, never more. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #failure: (cause?: unknown) => Error
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0

  /** @param failure makes the error to throw when the stream breaks (`cause`), or ends where it must not. */
  constructor(source: AsyncIterable<Uint8Array>, failure: (cause?: unknown) => Error) {
    this.#chunks = source[Symbol.asyncIterator]()
    this.#failure = failure
  }

  /**
   * Exactly `length` bytes in an array of their own, or undefined where the stream ends before the first of them. The caller
   * checks that `length` is sane.
   */
  async take(length: number): Promise<Uint8Array | undefined> {
    const taken = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      if (!(await this.#fill())) {
        if (filled === 0) return undefined
        throw this.#failure()
      }
      const part = this.#chunk.subarray(this.#at, this.#at + length - filled)
      taken.set(part, filled)
      filled += part.length
      this.#at += part.length
    }
    return taken
  }

  /** The same where the stream must not end. */
  async takeAll(length: number): Promise<Uint8Array> {
    const taken = await this.take(length)
    if (!taken) throw this.#failure()
    return taken
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      const next = await this.#chunks.next().catch((error: unknown) => {
        throw this.#failure(error)
      })
      if (next.done === true) return false
      this.#chunk = next.value
      this.#at = 0
    }
    return true
  }
}
