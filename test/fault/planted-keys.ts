import { readFileSync } from 'node:fs'
import type { Trial } from '../../src/trial/trial.ts'
import type { Planted } from './planted.ts'

/** Plants every private key of a trial: each may be in its own file and nowhere else. What the city has opened is not searched. */
export function plantTrial(planted: Planted, { box, city, broker, authority }: Trial): void {
  const files = {
    ...{
      'signing key': box.signingKey,
      'device key': box.deviceKey,
      'wrapped database key': box.databaseKey,
    },
    ...{ "box's TLS key": box.key, "city's TLS key": city.key, "broker's TLS key": broker.key },
    ...{
      "city's identity": city.identity,
      'recovery identity': city.recovery,
      'receipt key': city.receiptKey,
    },
    "authority's key": authority.key,
  }
  for (const [name, file] of Object.entries(files)) {
    planted.except(file)
    planted.plant(`the ${name}`, secretIn(readFileSync(file)))
  }
  planted.except(city.evidence)
}

/** The part of a key file that is the secret itself: of text the longest line that is no comment, else all of it. */
function secretIn(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1')
  if (!/^[\x20-\x7e\r\n]*$/.test(text)) return bytes
  // A line of JSON may hold an armoured file, of which the last line is the same in all.
  const lines = text.split(/\r?\n|\\n/).filter((line) => line !== '' && !/^(#|-----)/.test(line))
  // The end of a PKCS #8 body is the key; its beginning says only of what kind it is.
  const longest = lines.reduce((a, b) => (b.length > a.length ? b : a), '')
  return Buffer.from(longest.slice(-40))
}

/** Plants a part of every file of an evidence: pictures, crop and clip. */
export function plantFiles(planted: Planted, files: readonly { name: string; bytes: Uint8Array }[]): void {
  for (const { name, bytes } of files) planted.plant(`a part of ${name}`, bytes.slice(0, 32))
}
