import { RoadveilError } from '../errors.ts'
import { isWriteFailure } from './failure.ts'

/**
 * Ends the use of a store at the first write or sync that the disk refuses. What the kernel holds in memory then may never have come
 * to the disk, while reading shows it as written and the next sync says that all is well (https://lwn.net/Articles/752063/): nothing
 * may be acknowledged any more until the store has been opened anew.
 */
export interface Fuse {
  /** Aborts with the failure. */
  readonly blown: AbortSignal
  /** The same part of the store; once the fuse is blown, each of its calls throws ERR_STORE_IO. */
  readonly guard: <T extends object>(part: T) => T
}

export function createFuse(): Fuse {
  const controller = new AbortController()
  const { signal: blown } = controller

  const watched = (error: unknown): unknown => {
    if (isWriteFailure(error)) controller.abort(error)
    return error
  }
  const run = (call: () => unknown): unknown => {
    if (blown.aborted) {
      const message = 'the store is not used any more since the disk failed'
      throw new RoadveilError('ERR_STORE_IO', message, { cause: blown.reason })
    }
    try {
      const result = call()
      if (!(result instanceof Promise)) return result
      return result.catch((error: unknown) => {
        throw watched(error)
      })
    } catch (error) {
      throw watched(error)
    }
  }

  return {
    blown,
    guard(part) {
      const guarded = Object.entries(part).map(([name, member]: [string, unknown]) => [
        name,
        typeof member === 'function'
          ? (...args: unknown[]) => run(() => (member as (...args: unknown[]) => unknown)(...args))
          : member,
      ])
      return Object.fromEntries(guarded) as typeof part
    },
  }
}
