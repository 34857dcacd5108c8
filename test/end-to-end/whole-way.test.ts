import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import t, { type Test } from 'tap'
import { sceneCamera } from '../../scripts/demo/trial.ts'
import type { EvidenceFacts } from '../../src/domain/evidence.ts'
import { startRtspCamera } from '../support/rtsp-camera.ts'
import { SCENE_FILE, truth } from '../support/scene.ts'
import { killed, logged, namesIn, quickStatus, setUpTown, waitFor } from '../support/town.ts'
import {
  filesBelow,
  picturesIn,
  processTree,
  startedWith,
  wordsIn,
  writableFiles,
} from '../support/traces.ts'

const run = promisify(execFile)
const { plateText } = truth.violation
const SCENE_MS = (truth.frames.length / truth.fps) * 1000

await t.test('from an RTSP camera to the city, and nothing is left on the box', async (t) => {
  const camera = await startRtspCamera(SCENE_FILE)
  t.teardown(() => camera.stop())
  const { url, credentialsFile } = camera
  const town = await setUpTown(t, [sceneCamera('cam-1', { url, credentialsFile })], { isNew: true })
  // The end of the password has no character that any place would write differently.
  const password = [camera.password, camera.password.slice(-12)]
  const secrets = [plateText, ...truth.bystanderPlates, ...password]
  const credentials = readFileSync(credentialsFile)
  const boxFolder = town.trial.box.directory
  const temporaryBefore = new Set(namesIn(tmpdir()))

  const box = town.startBox('run')
  const seen = { started: new Set<string>(), written: new Set<string>() }
  const watching = new AbortController()
  const watch = (async () => {
    while (!watching.signal.aborted) {
      for (const { pid } of processTree(box.pid ?? 0)) {
        seen.started.add(startedWith(pid))
        for (const file of writableFiles(pid)) seen.written.add(file)
      }
      await sleep(300, undefined, { signal: watching.signal }).catch(() => undefined)
    }
  })()
  const searchDisk = (t: Test): void => {
    for (const { name, bytes } of filesBelow(boxFolder)) {
      t.same(wordsIn(bytes, secrets), [], `words in ${name}`)
      t.same(picturesIn(bytes), [], `pictures in ${name}`)
    }
    t.same(
      filesBelow(town.temporary).map(({ name }) => name),
      [],
      'no file elsewhere',
    )
  }

  await t.test('each passing of the scene is one violation', async (t) => {
    await waitFor('the scene has passed twice', () => logged(box, 'violation').length >= 2)
    const { cameras } = await town.status()
    t.match(cameras, [{ camera: 'cam-1', state: 'live', restarts: 0 }])
    // With its post-roll, what counts from here on is what becomes of it; a machine that does other things needs its time for that.
    await sleep(3_000)
    await camera.stop()
    const times = logged(box, 'violation').map(({ at }) => Date.parse(at ?? ''))
    for (const [i, at] of times.entries()) {
      const before = times[i - 1]
      if (before !== undefined) t.ok(Math.abs(at - before - SCENE_MS) <= 1_500, `${at - before} ms`)
    }
  })

  await t.test('evidence waits on the box for the city, sealed', async (t) => {
    await waitFor('evidence is in the outbox', async () => ((await quickStatus(town))?.store.outbox ?? 0) > 0)
    const rows = await town.evidenceOnBox()
    t.match(rows, [{ camera: 'cam-1', state: 'outbox', holds: [] }])
    t.match(namesIn(join(boxFolder, 'state')).sort(), [
      'store.db',
      'store.db-wal',
      'store.db.ballast',
      'store.db.days',
      'store.db.evidence',
    ])
    t.ok(
      filesBelow(boxFolder).some(({ bytes }) => bytes.length > 1_000_000),
      'it lies in the store',
    )
    searchDisk(t)
  })

  const receiver = town.startReceiver()
  let folder = ''
  await t.test('the city confirms it, and a tombstone is what remains', async (t) => {
    await waitFor(
      'the city has confirmed it',
      async () => ((await quickStatus(town))?.store.tombstones ?? 0) > 0,
    )
    ;[folder = ''] = town.opened()
    const status = await town.status()
    t.match(status, {
      store: { held: 0, tombstones: Number },
      delivery: { connected: true, delivered: Number, lastReceiptAt: String },
      counts: { discarded: 0, uncheckedRedactions: 0 },
    })
    const rows = await town.evidenceOnBox()
    t.notOk(rows.some(({ evidenceId }) => evidenceId === basename(folder)))
    t.match(JSON.parse(receiver.output().stdout.split('\n')[0] ?? ''), {
      type: 'roadveil.evidence.stored.v1',
      data: { evidenceId: basename(folder), location: folder },
    })
  })

  await t.test('the box leaves no trace of plates, pictures and passwords', async (t) => {
    watching.abort()
    await watch
    await killed(box)
    searchDisk(t)
    const { stdout, stderr } = box.output()
    t.same(wordsIn(Buffer.from(stdout + stderr), secrets), [], 'in the log')
    t.ok(seen.started.size >= 4, 'run, vision, vault and ffmpeg were watched')
    for (const started of seen.started) t.same(wordsIn(Buffer.from(started, 'latin1'), secrets), [])
    const outside = [...seen.written].filter(
      (file) =>
        !/^(state\/store\.db(-wal|\.ballast|\.mark|\.head\.[0-9a-f]{12}\.new|\.days\/[0-9a-f]{16}|\.evidence\/[0-9a-f]{32})?|logs\/roadveil-[-\d]+\.log)$/.test(
          file.slice(boxFolder.length + 1),
        ),
    )
    t.same(outside, [], 'nothing was written elsewhere, even for a moment')
    const met = namesIn(tmpdir()).filter((name) => !temporaryBefore.has(name))
    for (const name of met) {
      const file = join(tmpdir(), name)
      const found = readAll(file).filter(({ bytes }) => wordsIn(bytes, password).length > 0)
      t.same(
        found.map((each) => each.name),
        [],
        file,
      )
    }
  })

  await t.test('the search would have found them', async (t) => {
    const all = filesBelow(folder)
    const kinds = new Set(all.flatMap(({ bytes }) => picturesIn(bytes)))
    t.ok(kinds.has('jpeg') && kinds.has('png') && kinds.has('mp4'), [...kinds].join())
    t.ok(all.some(({ bytes }) => wordsIn(bytes, secrets).includes(plateText)))
    t.same(wordsIn(credentials, secrets), password)
  })

  const facts = JSON.parse(readFileSync(join(folder, 'evidence.json'), 'utf8')) as EvidenceFacts
  await t.test('evidence.json keeps to the published schema', async (t) => {
    const ajv = new Ajv2020({ strict: false })
    formats.default(ajv)
    const schema = new URL('../../config/evidence.schema.json', import.meta.url)
    const isValid = ajv.compile(JSON.parse(readFileSync(schema, 'utf8')) as object)
    t.ok(isValid(facts), JSON.stringify(isValid.errors))
  })

  await t.test("it names the offender's plate and no other", async (t) => {
    t.match(facts, {
      site: 'main-street',
      device: 'box-1',
      camera: 'cam-1',
      rule: { id: 'bus-stop-clear', kind: 'no-stopping', mode: 'live', limitMs: 5_000 },
      zone: { id: 'bus-stop' },
      vehicle: { class: 'car' },
      plate: { text: plateText },
      software: { configSha256: town.config.sha256 },
    })
    for (const { name, bytes } of filesBelow(town.trial.city.directory)) {
      t.same(wordsIn(bytes, truth.bystanderPlates), [], name)
    }
  })

  await t.test('age and tar open the sealed copy to the very files that were signed', async (t) => {
    const { city } = town.trial
    for (const identity of [city.identity, city.recovery]) {
      const opened = join(t.testdir(), basename(identity))
      mkdirSync(opened)
      const tar = join(opened, 'evidence.tar')
      await run('age', ['-d', '-i', identity, '-o', tar, join(folder, 'sealed', 'evidence.tar.age')])
      await run('tar', ['-xf', tar, '-C', opened])
      t.same(JSON.parse(readFileSync(join(opened, 'evidence.json'), 'utf8')), facts)
      for (const { name, sha256 } of facts.files) {
        t.equal(sha256Of(join(opened, name)), sha256, name)
        t.equal(sha256Of(join(folder, name)), sha256, `${name} in the city's folder`)
      }
      const names = facts.files.map(({ name }) => name)
      t.same(namesIn(opened).sort(), [...names, 'evidence.json', 'evidence.tar'].sort())
    }
  })
})

function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

/** A file, or everything below a folder; nothing where it is gone by now. */
function readAll(file: string): { readonly name: string; readonly bytes: Buffer }[] {
  try {
    return filesBelow(file)
  } catch {
    return []
  }
}
