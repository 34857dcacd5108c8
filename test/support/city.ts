import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { evidenceFactsSchema } from '../../src/domain/evidence.ts'
import type { Receipt } from '../../src/domain/receipt.ts'
import { loadPublicKey } from '../../src/sealing/keys.ts'
import { verifyReceipt } from '../../src/sealing/receipt.ts'
import type { SealedEvidence } from '../../src/sealing/seal.ts'
import { DEVICE, SITE, type Street } from './delivery.ts'
import type { TestPostgres } from './postgres.ts'
import { S3_BUCKET, S3_KEY, S3_REGION, type S3Server } from './s3-server.ts'

/** What several receivers of one street need: a config each, and somebody who keeps the receipts that they sign. */
export interface SharedCity extends AsyncDisposable {
  /** Writes the config of receiver `number` (from 1) and names the file. */
  configOf(number: number): string
  /** Every receipt that was sent, each once, checked. */
  readonly receipts: readonly Receipt[]
  /** What is wrong with what the city has of an evidence: nothing, if all is well. */
  faultsOf(sealed: SealedEvidence): Promise<readonly string[]>
}

/** Lets the broker take client ids as they come: several clients may then use one certificate. */
export async function tellClientsApartById({
  trial,
  broker,
}: Pick<Street, 'trial' | 'broker'>): Promise<void> {
  const config = readFileSync(trial.broker.config, 'utf8')
  writeFileSync(trial.broker.config, config.replace('use_username_as_clientid true', ''))
  await broker.kill()
  await broker.restart()
}

/**
 * Has several receivers with one certificate share the street's broker: it tells them apart by their client ids.
 *
 * @param bucket where pictures go; without it they go to a folder.
 */
export async function shareStreet(
  street: Street,
  { postgres, bucket }: { readonly postgres: TestPostgres; readonly bucket?: S3Server },
): Promise<SharedCity> {
  const { trial } = street
  const { directory, config: original } = trial.city
  await tellClientsApartById(street)

  const secretFile = (name: string, text: string): string => {
    writeFileSync(join(directory, name), text, { mode: 0o600 })
    chmodSync(join(directory, name), 0o600)
    return name
  }
  const database = { urlFile: secretFile('database.url', `${postgres.url}\n`) }
  const images = bucket && {
    outputDirectory: undefined,
    bucket: {
      endpoint: bucket.endpoint,
      region: S3_REGION,
      name: S3_BUCKET,
      accessKeyFile: secretFile('bucket.id', S3_KEY.accessKey),
      secretKeyFile: secretFile('bucket.secret', S3_KEY.secretKey),
    },
  }
  const { id, publicKey } = loadPublicKey(trial.box.receiptPublicKey)
  const receipts = new Map<string, Receipt>()
  const listener = await street.connectAs(
    'box',
    [`roadveil/v1/${SITE}/${DEVICE}/receipt/+`],
    ({ payload }) => {
      // A broker may bring one message twice.
      receipts.set(
        payload.toString(),
        verifyReceipt(payload, new Map([[id, publicKey]]), { deviceId: DEVICE }),
      )
    },
  )

  const read = async (evidenceId: string, name: string): Promise<Buffer | undefined> => {
    const path = join(SITE, DEVICE, evidenceId, name)
    if (bucket) return bucket.objects.get(path)
    const file = join(trial.city.evidence, path)
    return existsSync(file) ? readFile(file) : undefined
  }
  return {
    get receipts() {
      return [...receipts.values()]
    },
    configOf(number) {
      const settings = parse(readFileSync(original, 'utf8')) as { broker: object }
      const file = join(directory, `receiver-${number}.yaml`)
      const shared = {
        ...settings,
        ...{ ...images, database, stateDirectory: `state-${number}` },
        broker: { ...settings.broker, clientId: `receiver-${number}`, sharedGroup: 'city' },
      }
      writeFileSync(file, stringify(shared))
      return file
    },
    async faultsOf({ evidenceId, ciphertextSha256 }) {
      const faults: string[] = []
      const told = [...receipts.values()].filter((receipt) => receipt.evidenceId === evidenceId)
      const stored = told.filter(({ status }) => status === 'stored').length
      if (stored > 1) faults.push(`${evidenceId} was accepted ${stored} times`)
      if (!told.some(({ status }) => status === 'stored' || status === 'duplicate')) {
        faults.push(`${evidenceId} has no receipt`)
      }
      if (told.some((receipt) => receipt.ciphertextSha256 !== ciphertextSha256)) {
        faults.push(`a receipt of ${evidenceId} is about other bytes`)
      }
      const text = await read(evidenceId, 'evidence.json')
      if (!text) return [...faults, `${evidenceId} is not there`]
      const { files } = evidenceFactsSchema.parse(JSON.parse(text.toString()))
      const expected = [...files, { name: 'sealed/evidence.tar.age', sha256: ciphertextSha256 }]
      for (const { name, sha256 } of expected) {
        const bytes = (await read(evidenceId, name)) ?? Buffer.alloc(0)
        if (createHash('sha256').update(bytes).digest('hex') !== sha256)
          faults.push(`${name} of ${evidenceId} is not the one that was sent`)
      }
      return faults
    },
    [Symbol.asyncDispose]: () => listener[Symbol.asyncDispose](),
  }
}
