import { join } from 'node:path'

/** Where everything of a trial lies: what belongs to the box, to the city, to the broker and to the authority. */
export interface TrialLayout {
  readonly directory: string
  readonly box: BoxFiles
  readonly city: CityFiles
  readonly broker: BrokerFiles
  readonly authority: { readonly certificate: string; readonly key: string }
}

/** The box's folder; roadveil.yaml goes beside `keys`. */
export interface BoxFiles {
  readonly directory: string
  readonly config: string
  readonly signingKey: string
  /** The database key, wrapped for the device key. */
  readonly databaseKey: string
  readonly deviceKey: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
  /** The city's public receipt key. */
  readonly receiptPublicKey: string
  /** The public half of the key that the city commands with. */
  readonly commandPublicKey: string
}

export interface CityFiles {
  readonly directory: string
  readonly config: string
  /** age identity that opens evidence. */
  readonly identity: string
  /** age identity to keep offline. */
  readonly recovery: string
  readonly receiptKey: string
  readonly receiptPublicKey: string
  readonly commandKey: string
  readonly commandPublicKey: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
  /** Of who commands. */
  readonly commanderCertificate: string
  readonly commanderKey: string
  /** Folder with one public key per device. */
  readonly devices: string
  /** Opened evidence, one folder each. */
  readonly evidence: string
  /** What the receiver is still putting together, and its quarantine. */
  readonly state: string
}

export interface BrokerFiles {
  readonly directory: string
  readonly config: string
  readonly acl: string
  readonly ca: string
  readonly certificate: string
  readonly key: string
}

/** Names every file of a trial in `directory`. */
export function trialLayout(directory: string): TrialLayout {
  const box = join(directory, 'box')
  const city = join(directory, 'city')
  const broker = join(directory, 'broker')
  return {
    directory,
    box: {
      directory: box,
      config: join(box, 'roadveil.yaml'),
      signingKey: join(box, 'keys', 'device.pem'),
      databaseKey: join(box, 'keys', 'database.key'),
      deviceKey: join(box, 'keys', 'device.key'),
      ca: join(box, 'pki', 'ca.pem'),
      certificate: join(box, 'pki', 'device.pem'),
      key: join(box, 'pki', 'device.key'),
      receiptPublicKey: join(box, 'city', 'receipt.pem'),
      commandPublicKey: join(box, 'city', 'command.pem'),
    },
    city: {
      directory: city,
      config: join(city, 'receiver.yaml'),
      identity: join(city, 'identity.txt'),
      recovery: join(city, 'recovery.txt'),
      receiptKey: join(city, 'receipt.key'),
      receiptPublicKey: join(city, 'receipt.pem'),
      commandKey: join(city, 'command.key'),
      commandPublicKey: join(city, 'command.pem'),
      ca: join(city, 'pki', 'ca.pem'),
      certificate: join(city, 'pki', 'receiver.pem'),
      key: join(city, 'pki', 'receiver.key'),
      commanderCertificate: join(city, 'pki', 'commander.pem'),
      commanderKey: join(city, 'pki', 'commander.key'),
      devices: join(city, 'devices'),
      evidence: join(city, 'evidence'),
      state: join(city, 'state'),
    },
    broker: {
      directory: broker,
      config: join(broker, 'mosquitto.conf'),
      acl: join(broker, 'acl'),
      ca: join(broker, 'ca.pem'),
      certificate: join(broker, 'broker.pem'),
      key: join(broker, 'broker.key'),
    },
    authority: { certificate: join(directory, 'ca', 'ca.pem'), key: join(directory, 'ca', 'ca.key') },
  }
}
