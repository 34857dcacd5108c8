import type { Duplex } from 'node:stream'
import { RoadveilError } from '../errors.ts'
import { readFrames } from './framing.ts'
import type { Frame } from './framing.ts'

/** One open connection of the channel: frames both ways over a byte stream. */
export interface Connection {
  /** Queues an encoded frame for sending; nothing happens once the connection is closed. */
  send(encoded: readonly Uint8Array[]): void
  /** True while everything queued so far has been handed to the system. */
  readonly idle: boolean
  /**
   * The next frame, or undefined when the other side has closed. With `withinMs`, the other side has that long.
   *
   * @throws ERR_CHANNEL_MESSAGE, ERR_CHANNEL_CLOSED
   */
  receive(withinMs?: number): Promise<Frame | undefined>
  /** Sends what is queued, for half a second at most, and closes. */
  close(): void
  /** Closes at once. */
  destroy(): void
}

const CLOSING_MS = 500

/** Opens a connection over a stream that both sides have. */
export function openConnection(stream: Duplex): Connection {
  // The reader reports what breaks; without this listener an error would end the process.
  stream.on('error', () => undefined)
  const frames = readFrames(stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>)

  const receive = async (): Promise<Frame | undefined> => {
    const next = await frames.next()
    return next.done ? undefined : next.value
  }

  return {
    send(encoded) {
      if (!stream.writable) return
      stream.cork()
      for (const bytes of encoded) stream.write(bytes)
      stream.uncork()
    },
    get idle() {
      return stream.writableLength === 0
    },
    async receive(withinMs) {
      if (withinMs === undefined) return receive()
      const timer = setTimeout(() => stream.destroy(), withinMs)
      try {
        return await receive()
      } catch (error) {
        if (!stream.destroyed) throw error
        throw new RoadveilError('ERR_CHANNEL_CLOSED', 'the other process said nothing', { cause: error })
      } finally {
        clearTimeout(timer)
      }
    },
    close() {
      stream.end()
      // The other side may never read; nothing of ours waits for it.
      setTimeout(() => stream.destroy(), CLOSING_MS).unref()
    },
    destroy() {
      stream.destroy()
    },
  }
}
