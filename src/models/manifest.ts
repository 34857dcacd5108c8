import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { RoadveilError } from '../errors.ts'

/**
 * What the product's networks are for; `regions` finds plates and faces in one pass, and `regions-fine` finds more of them in three
 * times as long: for pictures that stand alone.
 */
export const MODEL_ROLES = ['objects', 'regions', 'regions-fine', 'plate-text'] as const
/** What public networks are for that only ours are compared with; `plates-small` is the faster, coarser twin of `plates`. */
const PUBLIC_ROLES = ['faces', 'plates', 'plates-small'] as const
export type ModelRole = (typeof MODEL_ROLES | typeof PUBLIC_ROLES)[number]

const size = z
  .union([z.int().positive(), z.string().min(1)])
  .describe('A name where the network leaves it open')
const shape = z.array(size).min(1).max(8)

const inputSchema = z.strictObject({
  name: z.string().min(1),
  type: z.enum(['float32', 'uint8']),
  shape,
  layout: z.enum(['nchw', 'nhwc']),
  colour: z.enum(['bgr', 'rgb', 'gbr']),
  maximum: z.literal([1, 255]).describe('The value of a full-bright pixel'),
  letterbox: z
    .strictObject({ align: z.enum(['top-left', 'centre']), fill: z.int().min(0).max(255) })
    .optional()
    .describe('Where the picture lies in the input, and what is around it'),
})

const entrySchema = z.strictObject({
  role: z.enum([...MODEL_ROLES, ...PUBLIC_ROLES]),
  file: z.string().regex(/^[a-z0-9_-]+\.onnx$/),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  bytes: z
    .int()
    .positive()
    .max(256 * 1024 * 1024),
  source: z
    .union([z.url({ protocol: /^https?$/ }), z.literal('models/training')])
    .describe('Where it is fetched from, or that it was trained here and comes with the release'),
  licence: z.string().min(1),
  input: inputSchema,
  outputs: z.array(z.strictObject({ name: z.string().min(1), shape })).min(1),
  classes: z.array(z.string().min(1)).min(1),
  preprocessing: z.enum(['letterboxed-planes', 'scaled-planes', 'interleaved-bytes']),
  postprocessing: z.enum([
    'object-rows',
    'region-rows',
    'slots',
    'yolox-grid',
    'yunet-grid',
    'yolov5-corners',
  ]),
})

const manifestSchema = z.strictObject({
  schema: z.literal('roadveil.models.v1'),
  models: z
    .array(entrySchema)
    .refine((models) => new Set(models.map(({ role }) => role)).size === models.length, 'one model a role'),
})

/** One network: where it comes from, what it takes and gives. */
export type ModelEntry = z.infer<typeof entrySchema>
/** models/manifest.json. */
export type ModelManifest = z.infer<typeof manifestSchema>

/** Where the rooms find their networks. */
export interface ModelSource {
  readonly manifest: ModelManifest
  readonly directory: string
}

/**
 * Reads and checks models/manifest.json.
 *
 * @throws ERR_MODEL_MANIFEST where it is missing, no JSON, or not in the schema
 */
export async function loadManifest(file: string): Promise<ModelManifest> {
  let content: unknown
  try {
    content = JSON.parse(await readFile(file, 'utf8'))
  } catch (cause) {
    throw new RoadveilError('ERR_MODEL_MANIFEST', `cannot read the model manifest ${file}`, { cause })
  }
  const result = manifestSchema.safeParse(content)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const where = issue ? `${issue.path.join('.')}: ${issue.message}` : 'not in the schema'
  throw new RoadveilError('ERR_MODEL_MANIFEST', `the model manifest ${file} is wrong: ${where}`)
}

/**
 * The manifest's entry for a role.
 *
 * @throws ERR_MODEL_MANIFEST where it has none
 */
export function findModel(manifest: ModelManifest, role: ModelRole): ModelEntry {
  const entry = manifest.models.find((model) => model.role === role)
  if (!entry) throw new RoadveilError('ERR_MODEL_MANIFEST', `the model manifest has no model for ${role}`)
  return entry
}

/**
 * Where a network lies.
 *
 * @throws ERR_MODEL_MISSING where it is not there
 */
export async function resolveModelFile(entry: ModelEntry, directory: string): Promise<string> {
  const file = join(directory, entry.file)
  const found = await stat(file).catch(() => undefined)
  if (found?.isFile()) return file
  throw new RoadveilError('ERR_MODEL_MISSING', `${file} is not there`)
}

/**
 * Refuses a network that wants another pre- or postprocessing than the code that is about to use it.
 *
 * @throws ERR_MODEL_MANIFEST
 */
export function requireStages(
  entry: ModelEntry,
  preprocessing: ModelEntry['preprocessing'],
  postprocessing: ModelEntry['postprocessing'],
): void {
  if (entry.preprocessing === preprocessing && entry.postprocessing === postprocessing) return
  throw new RoadveilError(
    'ERR_MODEL_MANIFEST',
    `${entry.role} needs a network of ${preprocessing} and ${postprocessing}, ${entry.file} is of ` +
      `${entry.preprocessing} and ${entry.postprocessing}`,
  )
}
