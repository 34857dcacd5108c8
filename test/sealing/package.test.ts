import { buffer } from 'node:stream/consumers'
import { type Header, pack } from 'tar-stream'
import t from 'tap'
import type { RedactedEvidence } from '../../src/domain/evidence.ts'
import { packEvidence, unpackEvidence } from '../../src/sealing/package.ts'
import { evidenceFixture } from './evidence.fixture.ts'

const evidence = evidenceFixture()
const factsEntry = entry('evidence.json', Buffer.from(JSON.stringify(evidence.facts)))
const fileEntries = evidence.files.map(({ name, bytes }) => entry(name, bytes))

interface Entry {
  readonly header: Partial<Header> & Pick<Header, 'name'>
  readonly bytes: Uint8Array
}

function entry(name: string, bytes: Uint8Array, header: Partial<Header> = {}): Entry {
  return { header: { name, mode: 0o600, ...header }, bytes }
}

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack()
  const packed = buffer(tar)
  for (const { header, bytes } of entries) tar.entry(header, Buffer.from(bytes))
  tar.finalize()
  return packed
}

function copyOf(original: RedactedEvidence): {
  facts: Record<string, unknown>
  files: RedactedEvidence['files']
} {
  return {
    facts: structuredClone(original.facts),
    files: original.files,
  }
}

await t.test(
  'a package gives back what was packed, and the same evidence gives the same bytes',
  async (t) => {
    const tar = await buffer(packEvidence(evidence))
    t.same(await buffer(packEvidence(evidence)), tar)
    const opened = await unpackEvidence(tar)
    t.same(opened.facts, evidence.facts)
    t.same(
      opened.files.map(({ name, bytes }) => [name, Buffer.from(bytes)]),
      evidence.files.map(({ name, bytes }) => [name, bytes]),
    )
  },
)

await t.test('evidence whose files are not the ones of its facts is not packed', async (t) => {
  const [first, ...rest] = evidence.files
  t.ok(first)
  const { facts } = evidence
  t.throws(() => packEvidence({ facts, files: rest }), { code: 'ERR_PACKAGE_MISMATCH' })
  t.throws(() => packEvidence({ facts, files: [...evidence.files].reverse() }), {
    code: 'ERR_PACKAGE_MISMATCH',
  })
  const changed = evidence.files.map((file) => ({ ...file, bytes: Buffer.from(file.bytes).fill(0, 0, 1) }))
  t.throws(() => packEvidence({ facts, files: changed }), { code: 'ERR_PACKAGE_MISMATCH' })
  t.throws(() => packEvidence(evidenceFixture({ clipBytes: 65 * 1024 * 1024 })), {
    code: 'ERR_EVIDENCE_TOO_LARGE',
  })
})

await t.test('hostile archives are refused', async (t) => {
  const nothing = Buffer.alloc(0)
  const hostile: Record<string, readonly Entry[]> = {
    'no entries': [],
    'facts not first': [...fileEntries, factsEntry],
    'path upwards': [factsEntry, entry('../../etc/passwd', Buffer.from('x')), ...fileEntries],
    'absolute path': [factsEntry, entry('/etc/passwd', Buffer.from('x'))],
    'folder in the name': [factsEntry, entry('a/b.jpg', Buffer.from('x'))],
    'hidden file': [factsEntry, entry('.bashrc', Buffer.from('x'))],
    'control characters': [factsEntry, entry('a\u001b[2Jb', Buffer.from('x'))],
    'a very long name': [factsEntry, entry('a'.repeat(200), Buffer.from('x'))],
    'a folder': [factsEntry, entry('folder', nothing, { type: 'directory' })],
    'a symbolic link': [
      factsEntry,
      entry('before.jpg', nothing, { type: 'symlink', linkname: '/etc/passwd' }),
    ],
    'a hard link': [factsEntry, entry('before.jpg', nothing, { type: 'link', linkname: 'evidence.json' })],
    'a device': [factsEntry, entry('before.jpg', nothing, { type: 'character-device' })],
    'a pipe': [factsEntry, entry('before.jpg', nothing, { type: 'fifo' })],
    'extended headers': [
      { ...factsEntry, header: { ...factsEntry.header, pax: { comment: 'hidden' } } },
      ...fileEntries,
    ],
  }
  for (const [name, entries] of Object.entries(hostile)) {
    await t.rejects(unpackEvidence(await tarOf(entries)), { code: 'ERR_PACKAGE_MALFORMED' }, name)
  }
})

await t.test('files that are missing, surplus, doubled or changed are refused', async (t) => {
  const [first, second, third] = fileEntries
  if (!first || !second || !third) throw new Error('three files expected')
  const wrong: Record<string, readonly Entry[]> = {
    missing: [factsEntry, first, second],
    surplus: [factsEntry, first, second, third, entry('more.jpg', Buffer.from('x'))],
    doubled: [factsEntry, first, second, third, third],
    swapped: [factsEntry, second, first, third],
    renamed: [factsEntry, entry('other.jpg', first.bytes), second, third],
    changed: [factsEntry, entry('before.jpg', Buffer.alloc(3000, 'afterr')), second, third],
    shortened: [factsEntry, entry('before.jpg', first.bytes.subarray(1)), second, third],
    'second facts': [factsEntry, factsEntry, second, third],
  }
  for (const [name, entries] of Object.entries(wrong)) {
    await t.rejects(unpackEvidence(await tarOf(entries)), { code: 'ERR_PACKAGE_MISMATCH' }, name)
  }
})

await t.test('an evidence.json that is not of the published form is refused', async (t) => {
  const texts = [
    '{',
    '{}',
    JSON.stringify({ ...copyOf(evidence).facts, extra: true }),
    JSON.stringify({ ...copyOf(evidence).facts, evidenceId: '../x' }),
    JSON.stringify({ ...copyOf(evidence).facts, camera: '../../x' }),
    JSON.stringify(evidence.facts).replace('{', '{"__proto__":{"polluted":true},'),
    JSON.stringify(evidence.facts).replace('"clock":{', '"clock":{"__proto__":{"polluted":true},'),
    JSON.stringify(evidence.facts).replace(
      '"clock":{',
      '"clock":{"constructor":{"prototype":{"polluted":true}},',
    ),
  ]
  for (const text of texts) {
    const tar = await tarOf([entry('evidence.json', Buffer.from(text)), ...fileEntries])
    await t.rejects(unpackEvidence(tar), { code: 'ERR_PACKAGE_MALFORMED' }, text.slice(0, 40))
  }
  t.equal(({} as Record<string, unknown>)['polluted'], undefined)
})

await t.test('cut off, prolonged and random archives are refused', async (t) => {
  const tar = await buffer(packEvidence(evidence))
  for (const length of [0, 1, 511, 512, 1024, tar.length - 1024, tar.length - 512, tar.length - 1]) {
    await t.rejects(unpackEvidence(tar.subarray(0, length)), { code: /^ERR_PACKAGE_/ }, `${length} bytes`)
  }
  await t.rejects(unpackEvidence(Buffer.concat([tar, Buffer.alloc(512)])), { code: 'ERR_PACKAGE_MALFORMED' })
  await t.rejects(unpackEvidence(Buffer.concat([tar, tar])), { code: 'ERR_PACKAGE_MALFORMED' })
  await t.rejects(unpackEvidence(Buffer.alloc(5000, 'noise')), { code: 'ERR_PACKAGE_MALFORMED' })
})

await t.test('a file with the name of a folder of the receiver is refused', async (t) => {
  const { facts } = evidence
  const [first, ...rest] = facts.files
  t.ok(first)
  const renamed = { ...facts, files: [{ ...first, name: 'sealed' }, ...rest] }
  const [firstEntry, ...restEntries] = fileEntries
  t.ok(firstEntry)
  if (!firstEntry) return
  const tar = await tarOf([
    entry('evidence.json', Buffer.from(JSON.stringify(renamed))),
    entry('sealed', firstEntry.bytes),
    ...restEntries,
  ])
  await t.rejects(unpackEvidence(tar), { code: 'ERR_PACKAGE_MALFORMED' })
})
