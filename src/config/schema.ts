import { z } from 'zod'
import { VEHICLE_CLASSES } from '../domain/detection.ts'
import { slugSchema as slug } from '../domain/evidence.ts'
import { DAYS } from '../domain/rule.ts'

/**
 * The one schema of roadveil.yaml: types, defaults, validation, the JSON Schema and the reference page all come from here.
 * Units are in the names. File names are relative to the folder of the config file.
 *
 * `expects` completes the sentence "must be …" in fault messages and in the reference, where a pattern would not be read.
 */

const slugSchema = slug.meta({ expects: 'a name of lower-case letters, digits and dashes, at most 63' })
const file = z.string().min(1).max(1024)
const fileName = file.meta({ expects: 'a file name' })
const folderName = file.meta({ expects: 'the name of a folder' })
const seconds = z.number().positive()
const point = z
  .tuple([z.number().min(0).max(1), z.number().min(0).max(1)])
  .meta({ expects: 'a point [x, y], each from 0 to 1' })
const clockTime = z
  .string()
  .regex(/^([01]\d|2[0-3]):[0-5]\d$|^24:00$/)
  .meta({ expects: 'a time of day like 07:30' })
const instant = z.iso.datetime({ offset: true }).meta({ expects: 'a time like 2026-03-01T06:00:00+01:00' })
export const recipientSchema = z
  .string()
  .regex(/^age1[a-z0-9]{20,2000}$/)
  .meta({ expects: 'an age recipient (age1…)' })

const arrow = z.array(point).length(2).meta({ expects: 'two points [[x, y], [x, y]]' })

export const zoneSchema = z.strictObject({
  id: slugSchema.describe('Name of the zone, used by rules and in evidence'),
  polygon: z
    .array(point)
    .min(3)
    .max(64)
    .optional()
    .describe('Corners as [x, y], 0-1 of the picture, (0, 0) top left'),
  line: arrow.optional().describe('For wrong-way rules: a line from [x, y] to [x, y], instead of a polygon'),
  direction: arrow
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
  exemptClasses: z
    .array(z.enum(VEHICLE_CLASSES))
    .default([])
    .describe('Who may, for example bus on a bus lane'),
  schedule: z
    .array(slotSchema)
    .default([])
    .describe('When it holds, in local time, daylight saving included; empty means always'),
  mode: z
    .enum(['warning', 'live'])
    .default('warning')
    .describe('live evidence is for enforcement; warning evidence is marked as such'),
  effectiveFrom: instant
    .optional()
    .describe(
      'From when a live rule is live (ISO 8601 with offset); before that it warns. A live rule must have it',
    ),
}

export const ruleSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('no-stopping').describe('Stationary in the zone for longer than the limit'),
    ...ruleBase,
    limitSeconds: seconds.max(86_400).describe('How long a vehicle may stand'),
  }),
  z.strictObject({
    kind: z.literal('reserved-lane').describe('Travels along the zone'),
    ...ruleBase,
    minTravelShare: z
      .number()
      .min(0.1)
      .max(1)
      .default(0.4)
      .describe("Share of the zone's length that counts as travelling along it"),
  }),
  z.strictObject({
    kind: z.literal('wrong-way').describe('Crosses the zone against its direction'),
    ...ruleBase,
  }),
])

export const cameraSchema = z.strictObject({
  id: slugSchema.describe('Name of the camera, in topics and databars'),
  url: z
    .string()
    .regex(/^(rtsps?:\/\/[^/\s]|file:.)/)
    .max(2048)
    .meta({ expects: 'rtsp://host:port/path, rtsps://… or file:PATH' })
    .describe('rtsp://host:port/path without user and password, or file:PATH to replay a recording'),
  credentialsFile: fileName
    .optional()
    .describe('File with one line user:password, mode 0600; never put them into the URL'),
  replay: z
    .enum(['realtime', 'fast'])
    .default('realtime')
    .describe('For file: inputs: at the speed of the recording, or as fast as the machine can'),
  replayStartsAt: instant
    .optional()
    .describe('For file: inputs: capture time of the first frame; the start of the replay if absent'),
  analysisFps: z
    .number()
    .min(1)
    .max(15)
    .default(5)
    .describe('Frames per second that are searched for vehicles'),
  preRollSeconds: seconds
    .min(2)
    .max(120)
    .default(10)
    .describe('Compressed video kept in memory from before a violation'),
  zones: z.array(zoneSchema).max(64).default([]).describe('Parts of the picture that rules are about'),
  rules: z.array(ruleSchema).max(64).default([]).describe('What is forbidden in a zone'),
})

/** How plates are read. */
export const platesSchema = z
  .strictObject({
    minConfidence: z.number().min(0.5).max(1).default(0.85).describe('Below this no plate text is given'),
  })
  .prefault({})

/** Says why, but not by which law: only the controller knows that. */
const LEGAL_BASIS =
  'Kept as evidence that a vehicle broke the named rule, until the city has it; sealed, so that only the city can open it.'

export const configSchema = z.strictObject({
  site: z.strictObject({
    id: slugSchema.describe('Name of the site, in topics and databars'),
    name: z.string().max(200).default('').describe('The site in words, for people'),
    timeZone: z
      .string()
      .meta({ expects: 'an IANA time zone like Europe/Berlin' })
      .describe('IANA time zone of the site, for example Europe/Berlin'),
    latitude: z
      .number()
      .min(-90)
      .max(90)
      .optional()
      .describe('Degrees north (WGS 84); with longitude, or not at all'),
    longitude: z.number().min(-180).max(180).optional().describe('Degrees east (WGS 84)'),
    legalBasis: z
      .string()
      .min(1)
      .max(2000)
      .default(LEGAL_BASIS)
      .describe(
        'Why the box may keep evidence, as `roadveil subject export` tells a person; name the article and the law here',
      ),
  }),
  device: z.strictObject({
    id: slugSchema.describe('Name of this box; must be the common name of its broker certificate'),
    signingKeyFile: fileName.describe('Ed25519 private key (PEM, 0600) that signs evidence'),
    keyFile: fileName
      .optional()
      .describe(
        '32 random bytes (0600) that the database key is wrapped for; the systemd credential `device-key` takes precedence',
      ),
  }),
  cameras: z.array(cameraSchema).min(1).max(32).describe('The cameras of this box'),
  plates: platesSchema,
  privacy: z
    .strictObject({
      maskOccupants: z
        .boolean()
        .default(true)
        .describe('Hide the windows of every vehicle in evidence, whether a face is found there or not'),
    })
    .prefault({}),
  store: z.strictObject({
    file: fileName.describe('The encrypted database'),
    keyFile: fileName.describe(
      'The database key (0600), wrapped for the device key and the recovery recipient; the systemd credential `database-key` takes precedence',
    ),
    maxSizeMiB: z
      .int()
      .min(64)
      .max(1_048_576)
      .default(4096)
      .describe('New evidence is refused when database and evidence would take more'),
  }),
  runtimeDirectory: folderName.describe(
    'For the sockets; only the user that runs Roadveil may enter it (0700), or with it the group of vision (0710)',
  ),
  city: z.strictObject({
    recipients: z
      .strictObject({
        operational: recipientSchema.describe('age recipient that evidence is encrypted to'),
        recovery: recipientSchema.describe("age recipient of the city's recovery key, kept offline"),
      })
      .describe('Who can open evidence: the city, not the box'),
    receiptKeys: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(64).describe('Name of the key, as the receipts give it'),
          publicKeyFile: fileName.describe('Ed25519 public key (PEM)'),
        }),
      )
      .min(1)
      .describe('Whose receipts are believed'),
    commandKeys: z
      .array(
        z.strictObject({
          id: z.string().min(1).max(64).describe('Name of the key, as the commands give it'),
          publicKeyFile: fileName.describe('Ed25519 public key (PEM)'),
        }),
      )
      .default([])
      .describe(
        'Whose commands (hold, release, erase, resend, rotate-key) are taken; a role of its own. None: every command is refused',
      ),
  }),
  broker: z.strictObject({
    url: z
      .string()
      .regex(/^mqtts:\/\/[^/@\s]+$/)
      .max(300)
      .meta({ expects: 'mqtts://host:port, without user and password' })
      .describe('mqtts://host:port; TLS 1.3 only'),
    topicPrefix: z
      .string()
      .regex(/^[a-zA-Z0-9_-]+(\/[a-zA-Z0-9_-]+)*$/)
      .max(100)
      .meta({ expects: 'words of letters, digits, _ and -, parted by /' })
      .default('roadveil')
      .describe('What every topic begins with; the same at the city'),
    caFile: fileName.describe('Certificate authority of the broker (PEM)'),
    certificateFile: fileName.describe("This box's client certificate (PEM)"),
    keyFile: fileName.describe("This box's client key (PEM, 0600)"),
  }),
  retention: z
    .strictObject({
      schedule: z
        .string()
        .max(100)
        .meta({ expects: 'a cron expression of five fields' })
        .default('17 * * * *')
        .describe('When the purge runs (cron, site time zone); a missed run is made up for'),
      tombstoneDays: z
        .int()
        .min(1)
        .max(3650)
        .default(365)
        .describe('How long id, hashes and times of deleted evidence stay'),
      auditDays: z.int().min(1).max(3650).default(730).describe('How long the audit log keeps its rows'),
      logDays: z.int().min(1).max(365).default(30).describe('How long log files stay'),
      certificateDays: z
        .int()
        .min(1)
        .max(3650)
        .default(1095)
        .describe('How long purge certificates, the signed accounts of what was deleted, stay'),
    })
    .prefault({}),
  logs: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .describe('Least important lines that are logged'),
      directory: folderName
        .optional()
        .describe('Folder for one log file a day; without it logs go to stderr only'),
    })
    .prefault({}),
})

/** The config as written, defaults filled in. `loadConfig` turns it into the `Config` that the rooms take. */
export type ConfigFile = z.infer<typeof configSchema>
export type CameraEntry = ConfigFile['cameras'][number]
