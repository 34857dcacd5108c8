import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import type { EpochMs } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import {
  COMMAND_CLOCK_TOLERANCE_MS,
  MAX_COMMAND_BYTES,
  MAX_COMMAND_DAYS,
  MAX_COMMAND_EVIDENCE,
} from '../protocol/limits.ts'
import { UUID } from '../protocol/topics.ts'
import { peekPayload, signEnvelope, verifyEnvelope } from './dsse.ts'
import { parseStrictJson } from './json.ts'
import type { SigningKey, VerifyKeys } from './keys.ts'

export const COMMAND_TYPE = 'application/vnd.roadveil.command.v1+json'
const SCHEMA = 'roadveil.command.v1'
const DAY_MS = 86_400_000

const uuid = z.string().regex(UUID)
const instant = z.iso.datetime({ precision: 3 })
/** Words of a person. They end in terminals, too: no control characters. */
const words = (most: number) =>
  z
    .string()
    .min(1)
    .max(most)
    .refine((text) => text === text.trim() && !/\p{Cc}/u.test(text))
    .describe('No space at either end, no control characters')
const evidenceIds = (most: number) =>
  z
    .array(uuid)
    .min(1)
    .max(most)
    .refine((ids) => new Set(ids).size === ids.length)
    .meta({ uniqueItems: true })
    .readonly()
/** Judged from the first moment on, and before the second. */
const timeSpan = z.tuple([instant, instant]).refine(([from, until]) => from < until)

/** Evidence by its ids, or what fits all that is said; nothing said is refused. */
const subject = z.union([
  z.strictObject({ evidenceIds: evidenceIds(MAX_COMMAND_EVIDENCE) }),
  z.strictObject({
    criteria: z
      .strictObject({
        camera: slugSchema.optional(),
        rule: slugSchema.optional(),
        timeSpan: timeSpan.optional(),
      })
      .refine((criteria) => Object.keys(criteria).length > 0)
      .meta({ minProperties: 1 }),
  }),
])

/** As a person's request names it: one evidence, or a time span. */
const personal = z.union([
  z.strictObject({ evidenceIds: evidenceIds(1) }),
  z.strictObject({ criteria: z.strictObject({ timeSpan, camera: slugSchema.optional() }) }),
])

const base = {
  schema: z.literal(SCHEMA),
  commandId: uuid,
  site: slugSchema,
  deviceId: slugSchema,
  issuedAt: instant,
  expiresAt: instant,
  keyId: z.string().min(1).max(64),
  by: words(100),
  reason: words(500),
}

/** What is signed. */
export const commandSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hold'), ...base, caseNumber: words(100), subject }),
  z
    .strictObject({
      kind: z.literal('release'),
      ...base,
      caseNumber: words(100).optional(),
      evidenceIds: evidenceIds(MAX_COMMAND_EVIDENCE).optional(),
    })
    .refine(({ caseNumber, evidenceIds: ids }) => (caseNumber ?? ids) !== undefined),
  z.strictObject({ kind: z.literal('erase'), ...base, subject: personal }),
  z.strictObject({ kind: z.literal('resend'), ...base, subject }),
  z.strictObject({ kind: z.literal('rotate-key'), ...base }),
])

/** What the city tells one box to do, once. */
export type Command = z.infer<typeof commandSchema>
export type CommandKind = Command['kind']
/** A command of one kind. */
export type CommandOf<K extends CommandKind> = Extract<Command, { kind: K }>
/** What `hold` and `resend` are about. */
export type CommandSubject = z.infer<typeof subject>

type Unsigned<C> = C extends Command ? Omit<C, 'schema' | 'keyId'> : never
/** A command before it is signed. */
export type UnsignedCommand = Unsigned<Command>

/** Signs a command as the city. Throws ERR_COMMAND_INVALID for one that no box would take. */
export function signCommand(command: UnsignedCommand, key: SigningKey): Uint8Array {
  const payload = Buffer.from(JSON.stringify({ schema: SCHEMA, ...command, keyId: key.id }))
  checkLifetime(parseCommand(payload))
  return signEnvelope(COMMAND_TYPE, payload, key)
}

/**
 * Returns the command in an envelope that the city has signed for this box. Whether its time has come, or it was done before, is
 * for the caller to say.
 *
 * Throws what `verifyEnvelope` does, ERR_COMMAND_INVALID when its form is wrong, it names another key than the one that signed it, or
 * may be valid for too long, and ERR_COMMAND_FOREIGN when it is for another box.
 */
export function verifyCommand(
  envelope: Uint8Array,
  cityKeys: VerifyKeys,
  box: { readonly site: string; readonly deviceId: string },
): Command {
  const { payload, keyId } = verifyEnvelope(envelope, COMMAND_TYPE, cityKeys)
  const command = parseCommand(payload)
  if (command.keyId !== keyId) throw wrong('names another key than the one that signed it')
  checkLifetime(command)
  if (command.deviceId !== box.deviceId || command.site !== box.site) {
    throw new RoadveilError('ERR_COMMAND_FOREIGN', `the command is for another box than ${box.deviceId}`)
  }
  return command
}

/** The command in an envelope that this side has kept; nothing of it is verified. Throws ERR_ENVELOPE_MALFORMED, ERR_COMMAND_INVALID. */
export function peekCommand(envelope: Uint8Array): Command {
  return parseCommand(peekPayload(envelope, MAX_COMMAND_BYTES))
}

/**
 * Checks the time of a command against a clock: not from the future by more than five minutes, and not expired, to the millisecond.
 *
 * Throws ERR_COMMAND_EARLY, ERR_COMMAND_EXPIRED.
 */
export function checkCommandTime(
  { issuedAt, expiresAt }: Pick<Command, 'issuedAt' | 'expiresAt'>,
  at: EpochMs,
): void {
  if (Date.parse(issuedAt) > at + COMMAND_CLOCK_TOLERANCE_MS) {
    throw new RoadveilError('ERR_COMMAND_EARLY', `the command was issued at ${issuedAt}, which is to come`)
  }
  if (Date.parse(expiresAt) <= at) {
    throw new RoadveilError('ERR_COMMAND_EXPIRED', `the command expired at ${expiresAt}`)
  }
}

function parseCommand(payload: Uint8Array): Command {
  return parseStrictJson(payload, commandSchema, {
    maxBytes: MAX_COMMAND_BYTES,
    code: 'ERR_COMMAND_INVALID',
    what: 'the command',
  })
}

function checkLifetime({ issuedAt, expiresAt }: Command): void {
  const lifetimeMs = Date.parse(expiresAt) - Date.parse(issuedAt)
  if (lifetimeMs <= 0 || lifetimeMs > MAX_COMMAND_DAYS * DAY_MS) {
    throw wrong(`is not valid for up to ${MAX_COMMAND_DAYS} days`)
  }
}

function wrong(what: string): RoadveilError {
  return new RoadveilError('ERR_COMMAND_INVALID', `the command ${what}`)
}
