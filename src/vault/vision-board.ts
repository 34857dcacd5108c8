import type { VisionHandlers } from '../channel/listener.ts'
import type { VisionStats } from '../channel/messages.ts'
import type { EpochMs } from '../domain/frame.ts'

/** What vision last said of itself. */
export interface VisionBoard extends Pick<VisionHandlers, 'stats' | 'connected'> {
  /** undefined while it is not connected. */
  readonly vision: { readonly version: string; readonly connectedAt: EpochMs } | undefined
  /** undefined until it has said something on this connection. */
  readonly latest: VisionStats | undefined
}

export function createVisionBoard(now: () => EpochMs): VisionBoard {
  let vision: VisionBoard['vision']
  let latest: VisionStats | undefined
  return {
    connected(version) {
      vision = version === undefined ? undefined : { version, connectedAt: now() }
      latest = undefined
    },
    stats(stats) {
      latest = stats
    },
    get vision() {
      return vision
    },
    get latest() {
      return latest
    },
  }
}
