import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import type { StoredEvidence } from './incoming.ts'

/**
 * What the receiver tells the back office: CloudEvents 1.0 in structured mode, JSON (https://github.com/cloudevents/spec, v1.0.2).
 * `source` and `id` together name one event: who gets it twice has got it once.
 */
export const storedEventSchema = z.strictObject({
  specversion: z.literal('1.0'),
  id: z.uuid().describe('The evidence id'),
  source: z
    .string()
    .regex(/^\/[a-z0-9-]{1,63}\/[a-z0-9-]{1,63}$/)
    .describe('/SITE/DEVICE'),
  type: z.literal('roadveil.evidence.stored.v1'),
  time: z.iso.datetime({ precision: 3 }).describe('When the city accepted it'),
  subject: z.uuid().describe('The evidence id'),
  datacontenttype: z.literal('application/json'),
  data: z.strictObject({
    site: slugSchema,
    device: slugSchema,
    evidenceId: z.uuid(),
    camera: slugSchema,
    rule: slugSchema,
    mode: z.enum(['warning', 'live']),
    judgedAt: z.iso
      .datetime({ precision: 3 })
      .describe('When the rule was broken, on the time line of the camera'),
    bytes: z.int().min(1).describe('Of the sealed form'),
    ciphertextSha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .describe('Of the sealed form'),
    location: z.string().describe('A folder, or s3://BUCKET/SITE/DEVICE/EVIDENCE/'),
  }),
})
export type StoredEvent = z.infer<typeof storedEventSchema>

/** Evidence was accepted: where it lies and what it is about, without the plate, since it may end in a journal. */
export function storedEvent({ acceptedAt, ...data }: StoredEvidence): StoredEvent {
  return {
    specversion: '1.0',
    id: data.evidenceId,
    source: `/${data.site}/${data.device}`,
    type: 'roadveil.evidence.stored.v1',
    time: acceptedAt,
    subject: data.evidenceId,
    datacontenttype: 'application/json',
    data,
  }
}
