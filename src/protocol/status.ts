import { z } from 'zod'
import { RoadveilError } from '../errors.ts'
import { MAX_STATUS_BYTES } from './limits.ts'

/** What a device says about itself on its status topic. The broker says `offline` for it when the connection breaks. */
export const statusSchema = z.strictObject({
  schema: z.literal('roadveil.status.v1'),
  state: z.enum(['online', 'offline']),
  /** When the connection was made that this is about. */
  connectedAt: z.iso.datetime({ precision: 3 }),
  software: z.string().max(64),
})
export type Status = z.infer<typeof statusSchema>

/** The bytes of a status message. */
export function encodeStatus(status: Status): Buffer {
  return Buffer.from(JSON.stringify(status))
}

/**
 * Reads a status message.
 *
 * @throws RoadveilError ERR_MESSAGE when it is not one.
 */
export function decodeStatus(payload: Uint8Array): Status {
  if (payload.length <= MAX_STATUS_BYTES) {
    try {
      return statusSchema.parse(JSON.parse(Buffer.from(payload).toString('utf8')))
    } catch {
      // Not JSON, or JSON of another shape: answered below.
    }
  }
  throw new RoadveilError('ERR_MESSAGE', 'a status message is not of this protocol')
}
