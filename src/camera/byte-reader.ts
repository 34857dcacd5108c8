import { RoadveilError } from '../errors.ts'

/** Takes exact numbers of bytes from a stream of chunks. Holds one chunk and what was asked for, never more. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  #chunk: Uint8Array = new Uint8Array(0)
  #at = 0
  #recording: Uint8Array | undefined
  #recorded = 0

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** From now on keeps a copy of what is taken, until `recording()`; more than `maxBytes` is an error. */
  record(maxBytes: number): void {
    this.#recording = new Uint8Array(maxBytes)
    this.#recorded = 0
  }

  /** Bytes recorded so far. */
  get recorded(): number {
    return this.#recorded
  }

  /** Ends the recording and returns it. */
  recording(): Uint8Array {
    const recording = this.#recording?.subarray(0, this.#recorded) ?? new Uint8Array(0)
    this.#recording = undefined
    return recording
  }

  /** One byte, or undefined at the end of the stream. */
  async takeByte(): Promise<number | undefined> {
    if (!(await this.#fill())) return undefined
    const byte = this.#chunk[this.#at++]
    if (byte !== undefined) this.#keep(Uint8Array.of(byte))
    return byte
  }

  /**
   * Exactly `length` bytes in an array of their own. The caller checks that `length` is sane.
   *
   * @throws {RoadveilError} ERR_CAMERA_ENDED when the stream ends first
   */
  async take(length: number): Promise<Uint8Array> {
    const taken = new Uint8Array(length)
    let filled = 0
    while (filled < length) {
      if (!(await this.#fill())) {
        throw new RoadveilError('ERR_CAMERA_ENDED', 'the stream ended inside an element')
      }
      const part = this.#chunk.subarray(this.#at, this.#at + length - filled)
      taken.set(part, filled)
      filled += part.length
      this.#at += part.length
    }
    this.#keep(taken)
    return taken
  }

  /** Lets go of the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #fill(): Promise<boolean> {
    while (this.#at >= this.#chunk.length) {
      const next = await this.#chunks.next().catch((error: unknown) => {
        throw new RoadveilError('ERR_CAMERA_ENDED', 'the stream broke off', { cause: error })
      })
      if (next.done === true) return false
      this.#chunk = next.value
      this.#at = 0
    }
    return true
  }

  #keep(bytes: Uint8Array): void {
    if (!this.#recording) return
    if (this.#recorded + bytes.length > this.#recording.length) {
      throw new RoadveilError('ERR_CAMERA_GARBAGE', 'the video stream has an endless header')
    }
    this.#recording.set(bytes, this.#recorded)
    this.#recorded += bytes.length
  }
}
