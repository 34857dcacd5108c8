import { ByteReader } from '../byte-reader.ts'
import { RoadveilError } from '../errors.ts'

/** Reads a camera's stream, and can keep a copy of what it takes. */
export class RecordingReader extends ByteReader {
  #recording: Uint8Array | undefined
  #recorded = 0

  /** It throws ERR_CAMERA_ENDED when the stream breaks, or ends where more was asked for. */
  constructor(source: AsyncIterable<Uint8Array>) {
    super(source, endedInside)
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

  override async take(length: number): Promise<Uint8Array | undefined> {
    const taken = await super.take(length)
    if (taken) this.#keep(taken)
    return taken
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

function endedInside(cause?: unknown): RoadveilError {
  return cause === undefined
    ? new RoadveilError('ERR_CAMERA_ENDED', 'the stream ended inside an element')
    : new RoadveilError('ERR_CAMERA_ENDED', 'the stream broke off', { cause })
}
