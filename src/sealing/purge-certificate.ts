import { z } from 'zod'
import { slugSchema } from '../domain/evidence.ts'
import type { PurgeCertificate } from '../domain/purge.ts'
import { MAX_CERTIFICATE_BYTES } from '../protocol/limits.ts'
import { type StatementSender, verifyStatement } from './device-statement.ts'
import { signEnvelope } from './dsse.ts'
import type { SigningKey } from './keys.ts'

export const CERTIFICATE_TYPE = 'application/vnd.roadveil.purge-certificate.v1+json'
const SCHEMA = 'roadveil.purge-certificate.v1'

const count = z.int().nonnegative()
const instant = z.iso.datetime({ precision: 3 })
const sha256 = z.string().regex(/^[0-9a-f]{64}$/)

/** What is signed, without the name of its form. */
export const purgeCertificateSchema = z.strictObject({
  certificateId: z.uuid(),
  site: slugSchema,
  device: slugSchema,
  occasion: z.enum(['purge', 'subject-request']),
  issuedAt: instant,
  clockPlausible: z.boolean(),
  deletions: z
    .array(
      z.strictObject({
        kind: z.enum([
          'evidence',
          'tombstones',
          'audit-rows',
          'log-files',
          'certificates',
          'day-keys',
          'damaged-stores',
        ]),
        count: z.int().min(1),
        from: instant,
        to: instant,
      }),
    )
    .readonly(),
  policy: z.strictObject({
    tombstoneDays: count,
    auditDays: count,
    logDays: count,
    certificateDays: count,
  }),
  configSha256: sha256,
  audit: z.strictObject({
    logId: z.string().regex(/^[0-9a-f]{32}$/),
    after: count,
    sequence: z.int().min(1),
    hash: sha256,
  }),
})

export const signedCertificateSchema = purgeCertificateSchema.extend({ schema: z.literal(SCHEMA) })

const FORM = {
  type: CERTIFICATE_TYPE,
  schema: signedCertificateSchema,
  maxBytes: MAX_CERTIFICATE_BYTES,
  code: 'ERR_CERTIFICATE_INVALID',
  what: 'the purge certificate',
} as const

/** Signs a purge certificate as the box. */
export function signPurgeCertificate(certificate: PurgeCertificate, key: SigningKey): Uint8Array {
  const payload = JSON.stringify({ schema: SCHEMA, ...certificate })
  return signEnvelope(CERTIFICATE_TYPE, Buffer.from(payload), key)
}

/**
 * Returns the certificate in an envelope that `deviceId` has signed with one of its keys.
 *
 * Throws what `verifyEnvelope` does, and ERR_CERTIFICATE_INVALID when its form is wrong or it speaks for another device.
 */
export function verifyPurgeCertificate(envelope: Uint8Array, sender: StatementSender): PurgeCertificate {
  const { statement: signed } = verifyStatement(envelope, sender, FORM)
  const { certificateId, site, device, occasion, issuedAt, clockPlausible, deletions } = signed
  const { policy, configSha256, audit } = signed
  return {
    certificateId,
    site,
    device,
    occasion,
    issuedAt,
    clockPlausible,
    deletions,
    policy,
    configSha256,
    audit,
  }
}
