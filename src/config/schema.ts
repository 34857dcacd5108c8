import { z } from 'zod'
import { VEHICLE_CLASSES } from '../domain/detection.ts'
import { slugSchema } from '../domain/evidence.ts'
import { DAYS } from '../domain/rule.ts'

/**
 * The one schema of roadveil.yaml: types, defaults, validation, the JSON Schema and the reference page all come from here.
 * Units are in the names. File names are relative to the folder of the config file.
 */

const file = z.string().min(1)
const seconds = z.number().positive()
const point = z.tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
const clockTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'must be a time of day like 07:30')

const zoneSchema = z.strictObject({
  id: slugSchema.describe('Name of the zone, used by rules and in evidence'),
  polygon: z.array(point).min(3).max(64).optional().describe('Corners as [x, y], 0-1 of the picture, (0, 0) top left'),
  line: z.array(point).length(2).optional().describe('A line from [x, y] to [x, y], instead of a polygon'),
  direction: z
    .array(point)
    .length(2)
    .optional()
    .describe('The way traffic may go, as an arrow from [x, y] to [x, y]; wrong-way rules need it'),
})

const slotSchema = z.strictObject({
  days: z.array(z.enum(DAYS)).min(1).describe('Days on which the slot begins'),
  from: clockTime.describe("Start, in the site's time zone"),
  to: clockTime.describe('End; earlier than `from` means the next day'),
})

const ruleBase = {
  id: slugSchema.describe('Name of the rule, written into evidence'),
  zone: slugSchema.describe('The zone it holds in'),
  classes: z
    .array(z.enum(VEHICLE_CLASSES))
    .min(1)
    .default([...VEHICLE_CLASSES])
    .describe('Whom it is for'),
  exemptClasses: z.array(z.enum(VEHICLE_CLASSES)).default([]).describe('Who may, for example bus on a bus lane'),
  schedule: z.array(slotSchema).default([]).describe('When it holds, in local time, daylight saving included; empty means always'),
  mode: z.enum(['warning', 'live']).default('warning').describe('live evidence is for enforcement; warning evidence is marked as such'),
  effectiveFrom: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('From when a live rule is live (ISO 8601 with offset); before that it warns. A live rule must have it'),
}

const ruleSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('no-stopping').describe('Stationary in the zone for longer than the limit'),
    ...ruleBase,
    limitSeconds: seconds.max(86_400).describe('How long a vehicle may stand'),
  }),
  z.strictObject({
    kind: z.literal('reserved-lane').describe('Travels along the zone'),
    ...ruleBase,
    minTravelShare: z.number().min(0.1).max(1).default(0.4).describe("Share of the zone's length that counts as travelling along it"),
  }),
  z.strictObject({
    kind: z.literal('wrong-way').describe('Crosses the zone against its direction'),
    ...ruleBase,
  }),
])

const cameraSchema = z.strictObject({
  id: slugSchema.describe('Name of the camera, in topics and databars'),
  url: z
    .string()
    .regex(/^(rtsp|rtsps|file):/, 'must begin with rtsp:, rtsps: or file:')
    .describe('rtsp://host:port/path without user and password, or file:PATH to replay a recording'),
  credentialsFile: file.optional().describe('File with one line user:password, mode 0600; never put them into the URL'),
  replay: z
    .enum(['realtime', 'fast'])
    .default('realtime')
    .describe('For file: inputs: at the speed of the recording, or as fast as the machine can'),
  replayStartsAt: z.iso
    .datetime({ offset: true })
    .optional()
    .describe('For file: inputs: capture time of the first frame; the start of the replay if absent'),
  analysisFps: z.number().min(1).max(15).default(5).describe('Frames per second that are searched for vehicles'),
  preRollSeconds: seconds.min(2).max(120).default(10).describe('Compressed video kept in memory from before a violation'),
  zones: z.array(zoneSchema).default([]),
  rules: z.array(ruleSchema).default([]),
})

export const configSchema = z.strictObject({
  site: z.strictObject({
    id: slugSchema.describe('Name of the site, in topics and databars'),
    name: z.string().max(200).default('').describe('The site in words, for people'),
    timeZone: z.string().describe('IANA time zone of the site, for example Europe/Berlin'),
    latitude: z.number().min(-90).max(90).optional(),
    longitude: z.number().min(-180).max(180).optional(),
  }),
  device: z.strictObject({
    id: slugSchema.describe("Name of this box; must be the common name of its broker certificate"),
    signingKeyFile: file.describe('Ed25519 private key (PEM, 0600) that signs evidence'),
  }),
  models: z
    .strictObject({ directory: file.default('models').describe('Folder with manifest.json and the networks') })
    .prefault({}),
  cameras: z.array(cameraSchema).min(1).max(32),
  plates: z
    .strictObject({
      minConfidence: z.number().min(0.5).max(1).default(0.85).describe('Below this no plate text is given'),
    })
    .prefault({}),
  store: z.strictObject({
    file: file.describe('The encrypted database'),
    keyFile: file.describe("32 random bytes (0600); the systemd credential `database-key` takes precedence"),
    maxSizeMiB: z.int().min(64).max(1_048_576).default(4096).describe('The database never grows beyond this'),
  }),
  runtimeDirectory: file.describe('For the sockets; only the user that runs Roadveil may enter it'),
  city: z.strictObject({
    recipients: z
      .strictObject({
        operational: z.string().startsWith('age1').describe('age recipient that evidence is encrypted to'),
        recovery: z.string().startsWith('age1').describe("age recipient of the city's recovery key, kept offline"),
      })
      .describe('Who can open evidence: the city, not the box'),
    receiptKeys: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(64),
          publicKeyFile: file.describe('Ed25519 public key (PEM)'),
        }),
      )
      .min(1)
      .describe('Whose receipts are believed'),
  }),
  broker: z.strictObject({
    url: z.string().regex(/^mqtts:\/\/[^/@\s]+$/, 'must be mqtts://host:port').describe('mqtts://host:port; TLS 1.3 only'),
    topicPrefix: z
      .string()
      .regex(/^[a-zA-Z0-9_-]+(\/[a-zA-Z0-9_-]+)*$/)
      .default('roadveil'),
    caFile: file.describe("Certificate authority of the broker (PEM)"),
    certificateFile: file.describe("This box's client certificate (PEM)"),
    keyFile: file.describe("This box's client key (PEM, 0600)"),
  }),
  retention: z
    .strictObject({
      schedule: z.string().default('17 * * * *').describe('When the purge runs (cron, site time zone); a missed run is made up for'),
      tombstoneDays: z.int().min(1).max(3650).default(365).describe('How long id, hashes and times of deleted evidence stay'),
      auditDays: z.int().min(1).max(3650).default(730),
      logDays: z.int().min(1).max(365).default(30),
    })
    .prefault({}),
  logs: z
    .strictObject({
      level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
      directory: file.optional().describe('Folder for one log file a day; without it logs go to stderr only'),
    })
    .prefault({}),
})

/** The config as written, defaults filled in. `loadConfig` turns it into the `Config` that the rooms take. */
export type ConfigFile = z.infer<typeof configSchema>
export type CameraEntry = ConfigFile['cameras'][number]
