import { setImmediate } from 'node:timers/promises'

/**
 * Gives the memory of large bytes back. The garbage collector sees only their small handles, and lets many large pictures pile up
 * before it looks for them. Nothing may use the bytes, or others in the same buffer, any more: they are empty from now on.
 */
export async function release({ buffer }: Uint8Array): Promise<void> {
  if (buffer instanceof ArrayBuffer) buffer.transfer(0)
  // What another library allocated is freed in the next turn.
  await setImmediate()
}
