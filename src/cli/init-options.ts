import { z } from 'zod'
import { cameraUrlFault } from '../config/camera-checks.ts'
import { resolveSource } from '../config/resolve.ts'
import { cameraSchema } from '../config/schema.ts'
import { isTimeZone } from '../config/time-zone.ts'
import { slugSchema } from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { isTopicPrefix } from '../protocol/topics.ts'

const isHost = /^[\w.-]+$|^\[[0-9a-f:]+\]$/i

const optionsSchema = z.object({
  trial: z.literal(true).optional(),
  json: z.literal(true).optional(),
  site: slugSchema,
  device: slugSchema,
  timeZone: z.string().refine(isTimeZone),
  camera: cameraSchema.shape.url,
  brokerHost: z.string().regex(isHost),
  brokerPort: z.coerce.number().int().min(1).max(65_535),
  topicPrefix: z.string().refine(isTopicPrefix),
})

/** What each must be, by the name of its option. */
const EXPECTED: Readonly<Record<string, readonly [option: string, expected: string]>> = {
  site: ['--site', 'lower-case letters, digits and dashes, at most 63'],
  device: ['--device', 'lower-case letters, digits and dashes, at most 63'],
  timeZone: ['--time-zone', 'an IANA time zone like Europe/Berlin'],
  camera: ['--camera', 'rtsp://host:port/path, rtsps://… or file:PATH'],
  brokerHost: ['--broker-host', 'a host name or an address'],
  brokerPort: ['--broker-port', 'a port from 1 to 65535'],
  topicPrefix: ['--topic-prefix', 'words of letters, digits, _ and -, parted by /'],
}

/** What `roadveil init` was told, checked. */
export type InitOptions = z.infer<typeof optionsSchema>

/**
 * Checks the options of `roadveil init`. A recording is named from where the person stands, so its name is made absolute.
 *
 * Throws ERR_USAGE.
 */
export function parseInitOptions(raw: Readonly<Record<string, unknown>>): InitOptions {
  const result = optionsSchema.safeParse(raw)
  if (!result.success) {
    const [option, expected] = EXPECTED[String(result.error.issues[0]?.path[0])] ?? [
      'an option',
      'something else',
    ]
    throw new RoadveilError('ERR_USAGE', `${option} must be ${expected}`)
  }
  const options = result.data
  const fault = cameraUrlFault(options.camera)
  if (fault) throw new RoadveilError('ERR_USAGE', `--camera ${fault}`)
  if (!options.camera.startsWith('file:')) return options
  return { ...options, camera: `file:${resolveSource(process.cwd(), options.camera)}` }
}
