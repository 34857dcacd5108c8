import { z } from 'zod'
import { VEHICLE_CLASSES } from './detection.ts'
import { DAYS, RULE_KINDS } from './rule.ts'

/**
 * `evidence.json`: the facts of one violation. This schema is what is published as config/evidence.schema.json, what
 * vault checks on its channel and what the city's receiver checks after decryption.
 */

const share = z.number().min(-1).max(2)
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
const instant = z.iso.datetime({ precision: 3 })
const slug = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)

/** A site, device, camera, zone or rule id as it appears in topics, file names and the databar. */
export const slugSchema = slug

/** Box in 0-1 coordinates of the camera's picture. */
const boxSchema = z.strictObject({ x: share, y: share, w: share, h: share })
const pointSchema = z.strictObject({ x: share, y: share })

const timeSchema = z
  .strictObject({
    /** UTC on the camera's time line. */
    camera: instant,
    /** UTC of the host's clock when the frame arrived. */
    host: instant,
    /** Milliseconds of the host's monotonic clock when the frame arrived. */
    monotonicMs: z.number().nonnegative(),
  })
  .describe('One moment on the clocks that saw it')

/** What the host's clock was worth. */
export const clockStateSchema = z.strictObject({
  synchronized: z
    .boolean()
    .nullable()
    .describe('Whether the kernel says that the clock is synchronized; null if it does not say'),
  source: z.string().max(64).describe('Who keeps the clock: kernel, chrony, systemd-timesyncd, unknown'),
  offsetMs: z.number().nullable().describe('Known offset against the source'),
  lastSyncAt: instant.nullable(),
})
export type ClockState = z.infer<typeof clockStateSchema>

const directionSchema = z.strictObject({ from: pointSchema, to: pointSchema })

const zoneSchema = z.strictObject({
  id: slug,
  shape: z.enum(['polygon', 'line']),
  points: z.array(pointSchema).min(2).max(64),
  direction: directionSchema.optional(),
})

const ruleSchema = z.strictObject({
  id: slug,
  kind: z.enum(RULE_KINDS),
  zoneId: slug,
  classes: z.array(z.enum(VEHICLE_CLASSES)),
  schedule: z.array(
    z.strictObject({
      days: z.array(z.enum(DAYS)),
      fromMinute: z.int().min(0).max(1439),
      toMinute: z.int().min(1).max(1440),
    }),
  ),
  mode: z.enum(['warning', 'live']),
  effectiveFrom: instant.optional(),
  limitMs: z.number().optional(),
  minTravelShare: z.number().optional(),
})

/** Why a part of a picture is hidden. */
const regionSchema = z.strictObject({
  kind: z
    .enum(['face', 'plate', 'head', 'plate-area', 'windscreen'])
    .describe(
      'head and plate-area: where a face or plate must be, though none was found; windscreen: where occupants sit',
    ),
  box: boxSchema,
  source: z.enum(['detected', 'followed', 'inferred']),
  score: z.number().min(0).max(1),
})
/** A part of a picture to hide. */
export type Region = z.infer<typeof regionSchema>

const redactedPictureSchema = z.strictObject({
  capturedAt: instant,
  frameNumber: z.int().nonnegative(),
  regions: z.array(regionSchema).max(1_000),
})

// An ending, so that no file can have the name of the receiver's folder for the sealed form.
const fileName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,57}\.(jpg|png|mp4)$/)

const fileSchema = z.strictObject({
  name: fileName,
  mediaType: z.enum(['image/jpeg', 'image/png', 'video/mp4']),
  bytes: z.int().positive(),
  sha256,
})

const plateReadingSchema = z.strictObject({
  text: z
    .string()
    .regex(/^[0-9A-Z]{2,10}$/)
    .nullable()
    .describe('null when no reading was sure enough'),
  confidence: z.number().min(0).max(1),
  votes: z
    .array(
      z.strictObject({
        capturedAt: instant,
        frameNumber: z.int().nonnegative(),
        text: z.string().regex(/^[0-9A-Z]{0,10}$/),
        confidence: z.number().min(0).max(1),
      }),
    )
    .max(1_000)
    .describe('What was read in each frame'),
  crop: z
    .strictObject({
      file: fileName,
      capturedAt: instant,
      frameNumber: z.int().nonnegative(),
      box: boxSchema,
    })
    .nullable()
    .describe('The plate picture and the very frame it was cut from and read in'),
})

export const evidenceFactsSchema = z.strictObject({
  schema: z.literal('roadveil.evidence.v1'),
  evidenceId: z.uuid(),
  site: slug,
  siteName: z.string().max(200),
  device: slug,
  camera: slug,
  place: z.strictObject({ latitude: z.number(), longitude: z.number() }).nullable(),
  timeZone: z.string().max(64),
  bootId: z.string().max(64),
  clock: clockStateSchema,
  times: z.strictObject({ entered: timeSchema, judged: timeSchema }),
  rule: ruleSchema.describe('The rule as configured'),
  zone: zoneSchema.describe('The zone as configured'),
  mode: z.enum(['warning', 'live']).describe('What the rule was worth at that moment'),
  vehicle: z.strictObject({
    trackId: z.string().max(64),
    class: z.enum(VEHICLE_CLASSES),
    path: z.array(z.strictObject({ at: instant, box: boxSchema, seen: z.boolean() })).max(20_000),
  }),
  plate: plateReadingSchema,
  pictures: z
    .array(redactedPictureSchema.extend({ file: fileName }))
    .max(8)
    .describe('The stills'),
  clip: z.strictObject({ file: fileName, frames: z.array(redactedPictureSchema).max(1_000) }),
  verification: z
    .strictObject({
      checkedFrames: z.int().nonnegative(),
      repairedFrames: z.int().nonnegative(),
    })
    .describe(
      'The finished pictures were decoded and searched for faces and plates once more: in how many, and in how many something was found that the second rendering hides',
    ),
  software: z.strictObject({
    version: z.string().max(32),
    configSha256: sha256,
    models: z.array(z.strictObject({ role: z.string().max(64), file: z.string().max(255), sha256 })).max(32),
  }),
  files: z.array(fileSchema).min(1).max(32).describe('Every file of the evidence but this one'),
})
export type EvidenceFacts = z.infer<typeof evidenceFactsSchema>

/** One file of an evidence. */
export interface EvidenceFile {
  readonly name: string
  readonly bytes: Uint8Array
}

/** What vision hands to vault: facts and redacted files of one violation, nothing raw. */
export interface RedactedEvidence {
  readonly facts: EvidenceFacts
  readonly files: readonly EvidenceFile[]
}

/** Why a violation left no evidence. Holds nothing personal. */
export interface DiscardedEvidence {
  readonly evidenceId: string
  readonly camera: string
  readonly ruleId: string
  readonly judgedAt: string
  readonly code: string
}
