import type { Config } from '../config/config.ts'
import type { PurgeCertificate } from '../domain/purge.ts'
import { isRoadveilError } from '../errors.ts'
import type { SigningKey, VerifyKeys } from '../sealing/keys.ts'
import { signPurgeCertificate, verifyPurgeCertificate } from '../sealing/purge-certificate.ts'
import type { SignAccount } from '../store/certificate.ts'
import type { Store } from '../store/open.ts'

/** One page of purge certificates. */
export interface CertificatePage {
  readonly certificates: readonly {
    /** Rises by one with each. */
    readonly number: number
    /** null where it is not one that this box signed. */
    readonly certificate: PurgeCertificate | null
    /** As it was signed: DSSE, base64. */
    readonly envelope: string
  }[]
}

/** An answer on the control socket has at most 16 MiB. */
const PAGE_ROWS = 500

/** Signs purge certificates for the box that this config describes. */
export function accountSigner(
  { site, device, retention, sha256: configSha256 }: Config,
  signer: { readonly signingKey: SigningKey },
): SignAccount {
  const { tombstoneDays, auditDays, logDays, certificateDays } = retention
  const policy = { tombstoneDays, auditDays, logDays, certificateDays }
  return (account) =>
    signPurgeCertificate(
      { site: site.id, device: device.id, ...account, policy, configSha256 },
      signer.signingKey,
    )
}

/** The purge certificates behind the one with this number, with what they say. */
export function readCertificates(
  checked: {
    readonly store: Pick<Store, 'certificates'>
    readonly deviceId: string
    /** The keys that this box has signed with. */
    readonly signers: VerifyKeys
  },
  after: number,
): CertificatePage {
  const read = (envelope: Uint8Array): PurgeCertificate | null => {
    try {
      const { deviceId, signers: deviceKeys } = checked
      return verifyPurgeCertificate(envelope, { deviceId, deviceKeys })
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      return null
    }
  }
  return {
    certificates: checked.store.certificates.list(after, PAGE_ROWS).map(({ number, envelope }) => ({
      number,
      certificate: read(envelope),
      envelope: Buffer.from(envelope).toString('base64'),
    })),
  }
}
