import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { crc32, deflateSync } from 'node:zlib'
import sharp, { type Sharp } from 'sharp'
import { type Outcome, anonymize } from '../../src/anonymize/anonymize.ts'
import type { AnonymizeOptions } from '../../src/anonymize/options.ts'
import type { Result } from '../../src/anonymize/report.ts'
import { loadModelSource } from '../../src/models/source.ts'
import type { EvidenceDeps } from '../../src/evidence/check.ts'
import { openEvidenceNetworks } from '../../src/vision/evidence-networks.ts'

/** Inputs made with real programs, and the batch with the release's networks. */

const models = await loadModelSource()
export const networks: EvidenceDeps = await openEvidenceNetworks(models)

export const OPTIONS: AnonymizeOptions = { style: 'solid', maskOccupants: true, preview: false }

export interface Run {
  readonly outcome: Outcome
  readonly results: readonly Result[]
  /** The code of each input that failed. */
  readonly codes: Readonly<Record<string, string>>
}

export async function run(
  inputs: readonly string[],
  out: string,
  more: {
    readonly options?: Partial<AnonymizeOptions>
    readonly report?: string
    readonly signal?: AbortSignal
    readonly detectors?: EvidenceDeps['detectors']
  } = {},
): Promise<Run> {
  const results: Result[] = []
  const { report, options, signal = new AbortController().signal, detectors = networks.detectors } = more
  const outcome = await anonymize(
    {
      ...{ inputs, out, networks: { ...networks, detectors }, ...(report === undefined ? {} : { report }) },
      models: models.manifest.models.map(({ role, file, sha256 }) => ({ role, file, sha256 })),
      options: { ...OPTIONS, ...options },
    },
    { onProgress: () => undefined, onResult: (result) => results.push(result) },
    signal,
  )
  const codes = Object.fromEntries(
    outcome.failures.map(({ input, error }) => [input.replace(/^.*\//, ''), error.code]),
  )
  return { outcome, results, codes }
}

/** A picture with its left half of one colour and its right half of another. */
export function halves(width: number, height: number, left: string, right: string): Sharp {
  const half = { width: Math.floor(width / 2), height, channels: 3, background: right } as const
  return sharp({ create: { width, height, channels: 3, background: left } }).composite([
    { input: { create: half }, left: width - half.width, top: 0 },
  ])
}

/** A PNG of black pixels, one bit each: small, whatever its size. */
export function blackPng(width: number, height: number, more: readonly Buffer[] = []): Buffer {
  const head = Buffer.alloc(13)
  head.writeUInt32BE(width, 0)
  head.writeUInt32BE(height, 4)
  head.writeUInt8(1, 8)
  const rows = deflateSync(Buffer.alloc((Math.ceil(width / 8) + 1) * height))
  const signature = Buffer.from('89504e470d0a1a0a', 'hex')
  return Buffer.concat([
    signature,
    chunk('IHDR', head),
    ...more,
    chunk('IDAT', rows),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A part of a PNG. */
export function chunk(kind: string, data: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(data.length)
  const body = Buffer.concat([Buffer.from(kind, 'latin1'), data])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(body))
  return Buffer.concat([size, body, sum])
}

export function ffmpeg(...args: readonly string[]): Buffer {
  return execFileSync('ffmpeg', ['-v', 'error', '-nostdin', '-y', ...args], { maxBuffer: 2 ** 28 })
}

/** A copy of a file of which a part is overwritten, in shares of its length. */
export function damage(bytes: Buffer, file: string, from: number, to: number): void {
  const copy = Buffer.from(bytes)
  copy.fill(0xa5, Math.floor(copy.length * from), Math.floor(copy.length * to))
  writeFileSync(file, copy)
}

/** What ffprobe says of a file. */
export function probe(file: string): {
  readonly streams: readonly {
    readonly codec_type: string
    readonly width: number
    readonly height: number
  }[]
  readonly format: { readonly tags?: Readonly<Record<string, string>> }
  readonly chapters: readonly unknown[]
} {
  const args = ['-v', 'error', '-show_streams', '-show_format', '-show_chapters', '-of', 'json', file]
  return JSON.parse(execFileSync('ffprobe', args).toString()) as ReturnType<typeof probe>
}

/** Milliseconds of every frame from the first one. */
export function frameTimes(file: string): number[] {
  const args = [
    '-v',
    'error',
    '-select_streams',
    'v:0',
    '-show_entries',
    'frame=pts_time',
    '-of',
    'json',
    file,
  ]
  const { frames } = JSON.parse(execFileSync('ffprobe', args).toString()) as {
    frames: { pts_time: string }[]
  }
  const first = Number(frames[0]?.pts_time)
  return frames.map(({ pts_time: seconds }) => Math.round((Number(seconds) - first) * 1000))
}
