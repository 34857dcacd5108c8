import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findModel, loadManifest, type ModelManifest } from '../../src/models/manifest.ts'
import { pullModels } from '../../src/models/pull.ts'
import { MANIFEST_FILE } from '../../src/models/source.ts'

const CONTENT = Buffer.alloc(200_000, 'network')

/** A server on loopback, and a manifest whose one network comes from there. */
async function serve(t: Test, answer: RequestListener): Promise<ModelManifest> {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const { schema, models } = await loadManifest(MANIFEST_FILE)
  const entry = findModel({ schema, models }, 'plate-text')
  const sha256 = createHash('sha256').update(CONTENT).digest('hex')
  const source = `http://127.0.0.1:${port}/${entry.file}`
  return { schema, models: [{ ...entry, source, sha256, bytes: CONTENT.length }] }
}

await t.test('a network is downloaded once, its growth reported', async (t) => {
  let requests = 0
  const manifest = await serve(t, (_, response) => {
    requests++
    response.end(CONTENT)
  })
  const directory = join(t.testdir(), 'models')
  const progress: number[] = []
  const first = await pullModels(manifest, directory, { onProgress: (_, bytes) => progress.push(bytes) })
  t.match(first, [{ outcome: 'downloaded', file: join(directory, 'roadveil_plate_text.onnx') }])
  t.equal(progress.at(-1), CONTENT.length)
  t.match(await pullModels(manifest, directory), [{ outcome: 'present' }])
  t.equal(requests, 1)
  t.same(await readFile(join(directory, 'roadveil_plate_text.onnx')), CONTENT)
})

await t.test('a file of another version is replaced', async (t) => {
  const manifest = await serve(t, (_, response) => response.end(CONTENT))
  const directory = t.testdir({ 'roadveil_plate_text.onnx': 'old' })
  t.match(await pullModels(manifest, directory), [{ outcome: 'downloaded' }])
})

await t.test('a wrong answer is refused and leaves the folder as it was', async (t) => {
  const forged = Buffer.from(CONTENT)
  forged[100] = 0
  const answers: readonly [string, string, RequestListener][] = [
    ['another file', 'ERR_MODEL_HASH', (_, response) => response.end(forged)],
    ['too little', 'ERR_MODEL_DOWNLOAD', (_, response) => response.end(CONTENT.subarray(1))],
    ['too much', 'ERR_MODEL_DOWNLOAD', (_, response) => response.end(Buffer.concat([CONTENT, CONTENT]))],
    ['not found', 'ERR_MODEL_DOWNLOAD', (_, response) => response.writeHead(404).end('no')],
    ['cut off', 'ERR_MODEL_DOWNLOAD', (_, response) => response.write(CONTENT, () => response.destroy())],
  ]
  for (const [what, code, answer] of answers) {
    const manifest = await serve(t, answer)
    const directory = t.testdir({})
    await writeFile(join(directory, 'other.onnx'), 'stays')
    await t.rejects(pullModels(manifest, directory), { code }, what)
    t.same(await readdir(directory), ['other.onnx'], what)
  }
})

await t.test('an endless answer is cut off at the size of the file', async (t) => {
  let sent = 0
  const manifest = await serve(t, (_, response) => {
    const more = (): void => {
      if (!response.destroyed) response.write(CONTENT, more)
      sent += CONTENT.length
    }
    more()
  })
  await t.rejects(pullModels(manifest, t.testdir()), { code: 'ERR_MODEL_DOWNLOAD' })
  t.ok(sent < 100 * CONTENT.length)
})

await t.test('a signal stops a download', async (t) => {
  const stop = new AbortController()
  const manifest = await serve(t, (_, response) => {
    response.write(CONTENT.subarray(0, 10), () => stop.abort())
  })
  await t.rejects(pullModels(manifest, t.testdir(), { signal: stop.signal }), { name: 'AbortError' })
})
