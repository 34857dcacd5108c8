// @peculiar/x509 needs this polyfill loaded before itself.
import 'reflect-metadata'
import { randomBytes, webcrypto } from 'node:crypto'
import { isIP } from 'node:net'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** A certificate and its private key, both PEM. */
export interface CertifiedKey {
  readonly certificate: string
  readonly key: string
}

/** A certificate authority of a trial: signs for one broker and its clients. */
export interface Authority extends CertifiedKey {
  /** For a broker that is reached under these host names and IP addresses. */
  broker(hosts: readonly string[]): Promise<CertifiedKey>
  /** For a client that the broker knows by this name. */
  client(name: string): Promise<CertifiedKey>
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const
const SIGNING = { name: 'ECDSA', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000
const AUTHORITY_DAYS = 730
const LEAF_DAYS = 365
/** A box whose clock is a little behind must not refuse a certificate that was made a minute ago. */
const BACKDATE_MS = DAY_MS

/**
 * Makes a certificate authority: ECDSA P-256, valid for two years, its certificates for one. For trials: a fleet's
 * certificates come from the city's own authority.
 */
export async function createAuthority(now: Date): Promise<Authority> {
  cryptoProvider.set(webcrypto)
  const keys = await generateKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: ['Roadveil trial authority'] }],
    ...validity(now, AUTHORITY_DAYS),
    signingAlgorithm: SIGNING,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const issue = (leaf: Leaf): Promise<CertifiedKey> => issueLeaf(certificate, keys.privateKey, leaf, now)
  return {
    certificate: pem(certificate),
    key: await exportKey(keys.privateKey),
    broker: (hosts) => issue({ name: hosts[0] ?? 'broker', usage: ExtendedKeyUsage.serverAuth, hosts }),
    client: (name) => issue({ name, usage: ExtendedKeyUsage.clientAuth, hosts: [] }),
  }
}

interface Leaf {
  readonly name: string
  readonly usage: ExtendedKeyUsage
  readonly hosts: readonly string[]
}

async function issueLeaf(
  authority: X509Certificate,
  signingKey: webcrypto.CryptoKey,
  { name, usage, hosts }: Leaf,
  now: Date,
): Promise<CertifiedKey> {
  const keys = await generateKeys()
  const names = hosts.map((value) => ({
    type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const),
    value,
  }))
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [name] }],
    issuer: authority.subject,
    ...validity(now, LEAF_DAYS),
    signingAlgorithm: SIGNING,
    signingKey,
    publicKey: keys.publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
      await AuthorityKeyIdentifierExtension.create(authority),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ],
  })
  return { certificate: pem(certificate), key: await exportKey(keys.privateKey) }
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
}

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY') + '\n'
}

function pem(certificate: X509Certificate): string {
  return certificate.toString('pem') + '\n'
}

/** 127 random bits: positive, and at most 20 octets (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

function validity(now: Date, days: number): { readonly notBefore: Date; readonly notAfter: Date } {
  return {
    notBefore: new Date(now.getTime() - BACKDATE_MS),
    notAfter: new Date(now.getTime() + days * DAY_MS),
  }
}
