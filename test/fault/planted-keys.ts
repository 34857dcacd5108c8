import { readFileSync } from 'node:fs'
import { loadDeviceKey, readDatabaseKey, unwrapForDevice } from '../../src/sealing/database-key.ts'
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
    ...{ 'command key': city.commandKey, "commander's TLS key": city.commanderKey },
    "authority's key": authority.key,
  }
  for (const [name, file] of Object.entries(files)) {
    planted.except(file)
    // What a change of keys that was interrupted leaves.
    planted.except(`${file}.new`)
    planted.plant(`the ${name}`, secretIn(readFileSync(file)))
  }
  planted.except(city.evidence)
  const source = (file: string) => ({ name: 'none', file, env: {} })
  const stored = readDatabaseKey(source(box.databaseKey))
  for (const wrapped of stored.form === 'wrapped' ? stored.keys : []) {
    const key = unwrapForDevice(wrapped, loadDeviceKey(source(box.deviceKey)))
    planted.plant('the database key', key)
    for (const form of ['hex', 'base64'] as const)
      planted.plant(`the database key (${form})`, key.toString(form))
  }
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
