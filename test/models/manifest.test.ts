import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import {
  findModel,
  loadManifest,
  MODEL_ROLES,
  requireStages,
  resolveModelFile,
} from '../../src/models/manifest.ts'
import { MANIFEST_FILE } from '../../src/models/source.ts'

await t.test(
  "the release's manifest has one network for every role, from a pinned address or from here",
  async (t) => {
    const manifest = await loadManifest(MANIFEST_FILE)
    t.strictSame(manifest.models.map(({ role }) => role).toSorted(), [...MODEL_ROLES].toSorted())
    for (const { source, file } of manifest.models) {
      if (source === 'models/training') continue
      t.match(source, /^https:\/\/raw\.githubusercontent\.com\/[\w.-]+\/[\w.-]+\/[0-9a-f]{40}\//, source)
      t.ok(source.endsWith(`/${file}`), file)
    }
  },
)

await t.test(
  'a manifest that is missing, no JSON or not in the schema is refused with the place',
  async (t) => {
    const directory = t.testdir()
    const file = join(directory, 'manifest.json')
    await t.rejects(loadManifest(file), { code: 'ERR_MODEL_MANIFEST' })
    const good = await loadManifest(MANIFEST_FILE)
    const [first] = good.models
    const wrong: readonly [string, unknown][] = [
      ['no JSON', '{'],
      ['models', { ...good, models: undefined }],
      ['one model a role', { ...good, models: [first, first] }],
      ['models.0.sha256', { ...good, models: [{ ...first, sha256: 'abc' }] }],
      ['models.0.file', { ...good, models: [{ ...first, file: '../../etc/passwd' }] }],
      ['models.0.source', { ...good, models: [{ ...first, source: 'file:///etc/passwd' }] }],
      ['models.0.bytes', { ...good, models: [{ ...first, bytes: 10 ** 12 }] }],
      ['models.0.role', { ...good, models: [{ ...first, role: 'voices' }] }],
      ['colour', { ...good, models: [{ ...first, colour: 'blue' }] }],
    ]
    for (const [place, content] of wrong) {
      await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
      const message = place === 'no JSON' ? /cannot read/ : new RegExp(place.replaceAll('.', '\\.'))
      await t.rejects(loadManifest(file), { code: 'ERR_MODEL_MANIFEST', message }, place)
    }
  },
)

await t.test('the lack of a network is named', async (t) => {
  const entry = findModel(await loadManifest(MANIFEST_FILE), 'plate-text')
  const directory = t.testdir({ whole: { [entry.file]: 'x' }, empty: {} })
  t.equal(await resolveModelFile(entry, join(directory, 'whole')), join(directory, 'whole', entry.file))
  await t.rejects(resolveModelFile(entry, join(directory, 'empty')), {
    code: 'ERR_MODEL_MISSING',
    message: new RegExp(entry.file),
  })
})

await t.test('a role without a network, and a network of another kind, are refused', async (t) => {
  const manifest = await loadManifest(MANIFEST_FILE)
  const others = { ...manifest, models: manifest.models.filter(({ role }) => role !== 'plate-text') }
  t.throws(() => findModel(others, 'plate-text'), { code: 'ERR_MODEL_MANIFEST' })
  const reader = findModel(manifest, 'plate-text')
  t.throws(() => requireStages(reader, 'scaled-planes', 'object-rows'), { code: 'ERR_MODEL_MANIFEST' })
  t.doesNotThrow(() => requireStages(reader, 'interleaved-bytes', 'slots'))
})
