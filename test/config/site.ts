import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { generateIdentity, identityToRecipient } from 'age-encryption'
import { stringify } from 'yaml'

/** A config as plain values, to be spoilt by a test. */
export type PlainConfig = Record<string, unknown>

export const REMOVED = Symbol('removed')

/** Sets the value at a path such as `cameras[0].url`, or takes it away. */
export function put(config: PlainConfig, path: string, value: unknown): void {
  const parts = path.split(/[.[\]]+/).filter((part) => part !== '')
  const last = parts.pop() ?? ''
  let holder = config
  for (const part of parts) holder = holder[part] as PlainConfig
  if (value === REMOVED) Reflect.deleteProperty(holder, last)
  else Object.defineProperty(holder, last, { value, enumerable: true, configurable: true, writable: true })
}

/** A folder with a path short enough for sockets, gone when the test ends. */
export function shortFolder(t: { teardown(fn: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'rv-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const recipients = {
  operational: await identityToRecipient(await generateIdentity()),
  recovery: await identityToRecipient(await generateIdentity()),
}

/** A config without faults, with every kind of zone and rule. */
export function validConfig(): PlainConfig {
  return structuredClone({
    site: {
      id: 'main-street',
      name: 'Main Street',
      timeZone: 'Europe/Berlin',
      latitude: 52.5,
      longitude: 13.4,
    },
    device: { id: 'box-1', signingKeyFile: 'keys/signing.pem' },
    cameras: [
      {
        id: 'north',
        url: 'rtsp://10.0.0.2:554/stream1',
        credentialsFile: 'keys/north.txt',
        zones: [
          {
            id: 'bus-stop',
            polygon: [
              [0.1, 0.1],
              [0.5, 0.1],
              [0.5, 0.4],
              [0.1, 0.4],
            ],
          },
          {
            id: 'one-way',
            line: [
              [0.1, 0.9],
              [0.9, 0.9],
            ],
            direction: [
              [0.5, 0.9],
              [0.5, 0.5],
            ],
          },
        ],
        rules: [
          { kind: 'no-stopping', id: 'no-stopping', zone: 'bus-stop', limitSeconds: 20 },
          {
            kind: 'reserved-lane',
            id: 'bus-lane',
            zone: 'bus-stop',
            exemptClasses: ['bus'],
            schedule: [{ days: ['mon', 'fri'], from: '07:00', to: '19:30' }],
            mode: 'live',
            effectiveFrom: '2026-03-01T00:00:00+01:00',
          },
          { kind: 'wrong-way', id: 'one-way', zone: 'one-way' },
        ],
      },
      { id: 'replay', url: 'file:clip.mp4', replay: 'fast', replayStartsAt: '2026-03-01T06:00:00Z' },
    ],
    store: { file: 'state/roadveil.db', keyFile: 'keys/database.key' },
    runtimeDirectory: 'run',
    city: { recipients, receiptKeys: [{ id: 'city-1', publicKeyFile: 'keys/city.pem' }] },
    broker: {
      url: 'mqtts://broker.example:8883',
      caFile: 'keys/ca.pem',
      certificateFile: 'keys/box.pem',
      keyFile: 'keys/box.key',
    },
  })
}

/** Writes the files that `validConfig` names into a folder, and the config itself. */
export function writeSite(folder: string, config: PlainConfig = validConfig()): string {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  for (const name of ['keys', 'state', 'run']) mkdirSync(join(folder, name), { recursive: true })
  chmodSync(join(folder, 'run'), 0o700)
  const write = (name: string, content: string | Buffer, mode = 0o644): void => {
    writeFileSync(join(folder, name), content)
    chmodSync(join(folder, name), mode)
  }
  write('keys/signing.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }), 0o600)
  write('keys/city.pem', publicKey.export({ type: 'spki', format: 'pem' }))
  write('keys/database.key', randomBytes(32), 0o600)
  write('keys/north.txt', 'admin:hunter2\n', 0o600)
  write('keys/box.key', 'key', 0o600)
  write('keys/box.pem', 'certificate')
  write('keys/ca.pem', 'certificate')
  write('keys/open.key', 'anyone may read this', 0o644)
  write('keys/empty.key', '', 0o600)
  write('clip.mp4', 'video')
  const file = join(folder, 'roadveil.yaml')
  writeConfig(file, config)
  return file
}

export function writeConfig(file: string, config: PlainConfig | string): void {
  writeFileSync(file, typeof config === 'string' ? config : stringify(config))
}
