import { createPublicKey } from 'node:crypto'
import t from 'tap'
import type { PurgeCertificate } from '../../src/domain/purge.ts'
import { signPurgeCertificate, verifyPurgeCertificate } from '../../src/sealing/purge-certificate.ts'
import { signingKeyFixture } from './keys.fixture.ts'

const certificate: PurgeCertificate = {
  site: 'main-street',
  device: 'box-1',
  certificateId: '0f8fad5b-d9cb-469f-a165-70867728950e',
  occasion: 'purge',
  issuedAt: '2026-03-01T13:00:00.000Z',
  clockPlausible: true,
  deletions: [
    { kind: 'evidence', count: 2, from: '2026-03-01T07:59:59.500Z', to: '2026-03-01T08:59:59.500Z' },
  ],
  policy: { tombstoneDays: 365, auditDays: 730, logDays: 30, certificateDays: 1095 },
  configSha256: 'a'.repeat(64),
  audit: { logId: 'b'.repeat(32), after: 0, sequence: 7, hash: 'c'.repeat(64) },
}

await t.test('a purge certificate says what was signed, to who knows the box’s key', async (t) => {
  const key = signingKeyFixture()
  const deviceKeys = new Map([[key.id, createPublicKey(key.privateKey)]])
  const envelope = signPurgeCertificate(certificate, key)
  t.same(verifyPurgeCertificate(envelope, { deviceId: 'box-1', deviceKeys }), certificate)
  t.throws(() => verifyPurgeCertificate(envelope, { deviceId: 'box-2', deviceKeys }), {
    code: 'ERR_CERTIFICATE_INVALID',
  })
  t.throws(() => verifyPurgeCertificate(envelope, { deviceId: 'box-1', deviceKeys: new Map() }), {
    code: 'ERR_KEY_UNKNOWN',
  })
  const forged = signPurgeCertificate({ ...certificate, configSha256: 'short' }, key)
  t.throws(() => verifyPurgeCertificate(forged, { deviceId: 'box-1', deviceKeys }), {
    code: 'ERR_CERTIFICATE_INVALID',
  })
})
