import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract, pack } from 'tar-stream'
import {
  type EvidenceFacts,
  type EvidenceFile,
  evidenceFactsSchema,
  type RedactedEvidence,
} from '../domain/evidence.ts'
import { RoadveilError } from '../errors.ts'
import { parseStrictJson } from './json.ts'

/**
 * The evidence package: an uncompressed tar of evidence.json, which comes first, and the files that it names, in its order.
 * `tar -t` shows it; nothing of it may name a folder, a link or a file that evidence.json does not.
 */

/** A sealed evidence is at most this long; two orders above a usual one. */
const MAX_PACKAGE_BYTES = 64 * 1024 * 1024
/** A track may have 20,000 path points; that is the bulk of evidence.json. */
const MAX_FACTS_BYTES = 8 * 1024 * 1024
const FACTS_NAME = 'evidence.json'
const BLOCK_BYTES = 512

/**
 * Packs evidence, piece by piece: of files that are in memory no copy is made. The same evidence gives the same bytes.
 * Throws ERR_PACKAGE_MISMATCH when files and facts disagree, ERR_EVIDENCE_TOO_LARGE.
 */
export function packEvidence(evidence: RedactedEvidence): AsyncIterable<Uint8Array> {
  checkFiles(evidence.facts, evidence.files)
  const facts = Buffer.from(JSON.stringify(evidence.facts, null, 2) + '\n')
  const entries = [{ name: FACTS_NAME, bytes: facts as Uint8Array }, ...evidence.files]
  if (facts.length > MAX_FACTS_BYTES || packageBytes(entries) > MAX_PACKAGE_BYTES) {
    throw new RoadveilError('ERR_EVIDENCE_TOO_LARGE', `evidence ${evidence.facts.evidenceId} is too large`)
  }
  const tar = pack()
  const mtime = new Date(evidence.facts.times.judged.camera)
  for (const { name, bytes } of entries) {
    tar.entry({ name, size: bytes.length, mode: 0o600, mtime }, bytes)
  }
  tar.finalize()
  return tar as AsyncIterable<Uint8Array>
}

/**
 * Opens a package that may be hostile and checks everything in it.
 *
 * Throws ERR_PACKAGE_MALFORMED for anything but a plain tar of evidence.json and files, ERR_PACKAGE_MISMATCH when the files are
 * not exactly the ones that evidence.json names, by name, order, size and SHA-256.
 */
export async function unpackEvidence(tar: Uint8Array): Promise<RedactedEvidence> {
  const entries = await readEntries(tar)
  const [first, ...files] = entries
  if (first?.name !== FACTS_NAME) throw malformed(`the first file is not ${FACTS_NAME}`)
  const facts = parseStrictJson(first.bytes, evidenceFactsSchema, {
    maxBytes: MAX_FACTS_BYTES,
    code: 'ERR_PACKAGE_MALFORMED',
    what: FACTS_NAME,
  })
  checkFiles(facts, files)
  return { facts, files }
}

async function readEntries(tar: Uint8Array): Promise<EvidenceFile[]> {
  if (tar.length > MAX_PACKAGE_BYTES) throw malformed(`the package has ${tar.length} bytes`)
  const entries: EvidenceFile[] = []
  const reader = extract()
  Readable.from([tar]).pipe(reader)
  try {
    for await (const entry of reader) {
      const { name, type, size } = entry.header
      if (type !== 'file') throw malformed(`it holds a ${type}`)
      if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(name))
        throw malformed('it holds a file with a name that is not allowed')
      const bytes = await buffer(entry)
      if (bytes.length !== size) throw malformed('it is cut off')
      entries.push({ name, bytes })
    }
  } catch (error) {
    if (error instanceof RoadveilError) throw error
    throw malformed('it is no tar archive')
  }
  // Extended headers, which may rename and resize, and anything behind the end would show as bytes unaccounted for.
  if (packageBytes(entries) !== tar.length) throw malformed('it holds more than its files')
  return entries
}

/** Size of the tar: a header block and whole blocks of content for each file, two blocks at the end (POSIX ustar). */
function packageBytes(entries: readonly EvidenceFile[]): number {
  const blocks = entries.reduce((sum, { bytes }) => sum + 1 + Math.ceil(bytes.length / BLOCK_BYTES), 0)
  return (blocks + 2) * BLOCK_BYTES
}

function checkFiles(facts: EvidenceFacts, files: readonly EvidenceFile[]): void {
  if (files.length !== facts.files.length) {
    throw new RoadveilError(
      'ERR_PACKAGE_MISMATCH',
      `${files.length} files, evidence.json names ${facts.files.length}`,
    )
  }
  const names = new Set([FACTS_NAME])
  facts.files.forEach((fact, index) => {
    const file = files[index]
    if (file?.name !== fact.name || names.has(fact.name)) {
      throw new RoadveilError('ERR_PACKAGE_MISMATCH', `file ${index} is not ${fact.name}`)
    }
    names.add(fact.name)
    const sha256 = createHash('sha256').update(file.bytes).digest('hex')
    if (file.bytes.length !== fact.bytes || sha256 !== fact.sha256) {
      throw new RoadveilError('ERR_PACKAGE_MISMATCH', `${fact.name} is not the file that evidence.json names`)
    }
  })
}

function malformed(why: string): RoadveilError {
  return new RoadveilError('ERR_PACKAGE_MALFORMED', `the package was refused: ${why}`)
}
