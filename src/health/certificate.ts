import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { EpochMs } from '../domain/frame.ts'

/** When the first certificate of a PEM file expires; undefined if it cannot be read. */
export async function readExpiry(file: string): Promise<EpochMs | undefined> {
  try {
    return new X509Certificate(await readFile(file)).validToDate.getTime()
  } catch {
    return undefined
  }
}
