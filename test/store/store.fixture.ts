import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { Receipt } from '../../src/domain/receipt.ts'
import type { Logger } from '../../src/log.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import { fileNameOf } from '../../src/store/evidence-files.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { SEALED_MARK, tellHandled } from '../support/handled.ts'

export const DEVICE = 'box-1'
/** Of a test's store, which has the same in every process. */
export const KEY = Buffer.alloc(32, 7)
/** When the stories of the tests begin. */
export const START = Date.parse('2026-03-01T08:00:00.000Z')
export const DAY = 86_400_000

/** Where a test's store lies: in a folder of its own, which openStore makes with mode 0700. */
export function storeFileIn(folder: string): string {
  return join(folder, 'store', 'roadveil.db')
}

/** Where the sealed bytes of an evidence of a test's store lie. */
export function evidenceFileIn(folder: string, evidenceId: string): string {
  return join(`${storeFileIn(folder)}.evidence`, fileNameOf(evidenceId))
}

/** Opens a store with a key that is the same in every process of a test. */
export function openTestStore(
  folder: string,
  change: { key?: Buffer; maxSizeMiB?: number; file?: string; logger?: Logger } = {},
): Store {
  const key = change.key ?? KEY
  tellHandled({ kind: 'secret', name: 'the key of a test store', secret: key })
  return openStore({
    file: storeFileIn(folder),
    maxSizeMiB: 64,
    deviceId: DEVICE,
    ...change,
    key,
  })
}

/** Sealed evidence of noise, which is what ciphertext looks like, with a mark at the beginning of each chunk. */
export function sealedFixture(bytes = 200_000): SealedParts {
  const ciphertext = randomBytes(bytes)
  const chunks: Buffer[] = []
  for (let offset = 0; offset < bytes; offset += 98_304) {
    SEALED_MARK.copy(ciphertext, offset)
    chunks.push(ciphertext.subarray(offset, offset + 98_304))
  }
  return {
    evidenceId: randomUUID(),
    manifest: Buffer.from('manifest'),
    ciphertextSha256: createHash('sha256').update(ciphertext).digest('hex'),
    chunks,
  }
}

/** Whether the store gives every byte of an evidence back. Throws what reading throws. */
export function isReadable({ outbox }: Store, { evidenceId, chunks, manifest }: SealedParts): boolean {
  return (
    chunks.every((chunk, i) => Buffer.from(outbox.chunk(evidenceId, i)).equals(chunk)) &&
    Buffer.from(outbox.manifest(evidenceId)).equals(Buffer.from(manifest))
  )
}

/** What a commit says about evidence, at `at`. */
export function aboutAt(at: number): { camera: string; ruleId: string; judgedAt: number; at: number } {
  return { camera: 'north', ruleId: 'bus-stop', judgedAt: at - 500, at }
}

/** A receipt that settles the evidence. */
export function receiptFor(sealed: SealedParts, change: Partial<Receipt> = {}): Receipt {
  return {
    deviceId: DEVICE,
    evidenceId: sealed.evidenceId,
    ciphertextSha256: sealed.ciphertextSha256,
    status: 'stored',
    keyId: '0123456789abcdef',
    issuedAt: '2026-03-01T08:17:00.000Z',
    ...change,
  }
}
