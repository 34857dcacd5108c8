import { setImmediate } from 'node:timers/promises'

/**
 * Gives the memory of large bytes back. The garbage collector sees only their small handles, and lets much pile up before it looks
 * for it. Nothing may use the bytes, or others in the same buffer, any more: they are empty from now on.
 */
export function free({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
}

/** The same for bytes that another library allocated: those are freed in the next turn. */
export async function release(bytes: Uint8Array): Promise<void> {
  free(bytes)
  await setImmediate()
}
