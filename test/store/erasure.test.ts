import { execFileSync } from 'node:child_process'
import { createDecipheriv } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase } from '../../src/store/database.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import type { Store } from '../../src/store/open.ts'
import { fileNameOf } from '../../src/store/evidence-files.ts'
import { rekeyStore } from '../../src/store/rekey.ts'
import { makeEarlier } from './earlier.fixture.ts'
import { openSalvaging } from './salvage.fixture.ts'
import {
  aboutAt,
  DAY,
  evidenceFileIn,
  KEY,
  openTestStore,
  receiptFor,
  sealedFixture,
  START,
  storeFileIn,
} from './store.fixture.ts'

/** What who has the database key can read of bytes that came from anywhere: every page is AES-256-CBC, the log shifts by eight. */
function opened(bytes: Buffer, key = KEY): Buffer[] {
  return [0, 8].map((shift) => {
    const decipher = createDecipheriv('aes-256-cbc', key, Buffer.alloc(16)).setAutoPadding(false)
    const whole = bytes.subarray(shift, shift + Math.floor((bytes.length - shift) / 16) * 16)
    return decipher.update(whole)
  })
}

/** True where a piece of it stands in the bytes; pages cut it anywhere. */
function holds(bytes: readonly Buffer[], wanted: readonly Uint8Array[]): boolean {
  return wanted.some((chunk) => {
    for (let at = 0; at + 48 <= chunk.length; at += 1000) {
      const piece = Buffer.from(chunk.subarray(at, at + 48))
      if (bytes.some((text) => text.includes(piece))) return true
    }
    return false
  })
}

/** Every byte of a store: database, log and the files of its evidence. */
function everything(folder: string): Buffer {
  const file = storeFileIn(folder)
  const evidence = evidenceFiles(folder).map((name) => join(`${file}.evidence`, name))
  return Buffer.concat([file, `${file}-wal`, ...evidence].map((path) => readFileSync(path)))
}

function evidenceFiles(folder: string): string[] {
  return readdirSync(`${storeFileIn(folder)}.evidence`)
}

function dayFiles(folder: string): string[] {
  const days = join(folder, 'store', 'roadveil.db.days')
  return readdirSync(days).map((name) => join(days, name))
}

/** The bytes as the store holds them, and the half of the day's key that the database holds. */
function covered(folder: string): { files: Buffer[]; halves: Buffer[] } {
  const db = openDatabase({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 })
  const halves = db.prepare<[], Buffer>('SELECT half FROM day_key').pluck().all()
  db.close()
  const paths = evidenceFiles(folder).map((name) => join(`${storeFileIn(folder)}.evidence`, name))
  return { files: paths.map((path) => readFileSync(path)), halves }
}

/** The name of the file that holds the half of a day's key. */
function dayOfKey(folder: string, day: string): string {
  const db = openDatabase({ file: storeFileIn(folder), key: KEY, maxSizeMiB: 64 })
  const id = db.prepare<[string], string>('SELECT day_key_id FROM day_key WHERE day = ?').pluck().get(day)
  db.close()
  return id ?? ''
}

function deliver(store: Store, sealed: SealedParts, at: number): void {
  store.outbox.settle(receiptFor(sealed), at)
}

await t.test('with the database key alone nobody gets the sealed bytes', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
    t.same(store.outbox.chunk(sealed.evidenceId, 1), sealed.chunks[1])
    t.notOk(holds([everything(folder), ...opened(everything(folder))], sealed.chunks))
  }
  const { files } = covered(folder)
  using store = openTestStore(folder)
  t.ok(holds([everything(folder)], files), 'the search finds what is there')
  t.same(store.outbox.chunk(sealed.evidenceId, 1), sealed.chunks[1], 'the next process can read it')
})

await t.test('a day’s key is destroyed once all of the day is confirmed, and not before', async (t) => {
  const folder = t.testdir()
  const [first, second, next] = [sealedFixture(), sealedFixture(), sealedFixture()]
  using store = openTestStore(folder)
  store.evidence.commit(first, aboutAt(START))
  store.evidence.commit(second, aboutAt(START + 1))
  store.evidence.commit(next, aboutAt(START + DAY))
  t.equal(dayFiles(folder).length, 2)
  deliver(store, first, START + DAY)
  t.same(store.expiry.destroyDayKeys(START + DAY), { count: 0, from: null, to: null })
  t.same(store.outbox.chunk(second.evidenceId, 0), second.chunks[0])
  deliver(store, second, START + DAY)
  const day = Date.parse('2026-03-01')
  t.same(store.expiry.destroyDayKeys(START + DAY), { count: 1, from: day, to: day })
  t.equal(dayFiles(folder).length, 1)
  t.same(store.outbox.chunk(next.evidenceId, 0), next.chunks[0])
  deliver(store, next, START + DAY)
  t.equal(store.expiry.destroyDayKeys(START + DAY).count, 1)
  const again = sealedFixture()
  store.evidence.commit(again, aboutAt(START + DAY + 1))
  t.same(
    store.outbox.chunk(again.evidenceId, 0),
    again.chunks[0],
    'the day gets another one where it needs one',
  )
})

await t.test('a destruction that was interrupted is finished by the next one', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
    deliver(store, sealed, START)
  }
  const [file = ''] = dayFiles(folder)
  writeFileSync(file, Buffer.alloc(100, 'overwritten, but not removed'))
  {
    using store = openTestStore(folder)
    t.equal(store.expiry.destroyDayKeys(START).count, 1)
    t.same(dayFiles(folder), [])
    t.equal(store.expiry.destroyDayKeys(START).count, 0)
  }
  t.same(covered(folder), { files: [], halves: [] })
})

await t.test('a hold keeps its evidence readable, but not the key of the rest of its day', async (t) => {
  const folder = t.testdir()
  const [gone, held] = [sealedFixture(), sealedFixture()]
  {
    using store = openTestStore(folder)
    for (const sealed of [gone, held]) store.evidence.commit(sealed, aboutAt(START))
    store.holds.place(held.evidenceId, { reason: 'court', by: 'officer', at: START })
    for (const sealed of [gone, held]) deliver(store, sealed, START)
    t.equal(store.expiry.destroyDayKeys(START + 1000).count, 0, 'today’s key may still be needed')
    const [before] = dayFiles(folder)
    t.equal(store.expiry.destroyDayKeys(START + DAY).count, 1)
    t.not(dayFiles(folder)[0], before)
  }
  using store = openTestStore(folder)
  t.same(store.outbox.chunk(held.evidenceId, 2), held.chunks[2])
  t.same(store.outbox.manifest(held.evidenceId), held.manifest)
})

await t.test('of deleted evidence nothing is left in database and log, and nothing of its key', async (t) => {
  const folder = t.testdir()
  const sealed = sealedFixture()
  {
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
  }
  const { files, halves } = covered(folder)
  using store = openTestStore(folder)
  const before = [everything(folder), ...opened(everything(folder))]
  t.ok(holds(before, files) && halves.every((half) => before.some((each) => each.includes(half))))
  deliver(store, sealed, START)
  store.expiry.destroyDayKeys(START)
  while (store.expiry.compact());
  const text = [everything(folder), ...opened(everything(folder))]
  t.notOk(holds(text, files))
  t.same(evidenceFiles(folder), [])
  t.notOk(halves.some((half) => text.some((each) => each.includes(half))))
  t.same(dayFiles(folder), [])
})

/** A file system of its own in an image, for as long as the work takes. Throws where this machine cannot make and mount one. */
async function onImage(
  folder: string,
  mebibytes: number,
  work: (disk: string, image: string) => Promise<void>,
): Promise<void> {
  const image = join(folder, 'disk.img')
  const disk = join(folder, 'disk')
  writeFileSync(image, '')
  truncateSync(image, mebibytes * 1024 * 1024)
  mkdirSync(disk)
  execFileSync('mkfs.ext4', ['-q', image], { stdio: 'ignore' })
  execFileSync('mount', ['-o', 'loop', image, disk], { stdio: 'ignore' })
  try {
    await work(disk, image)
  } finally {
    execFileSync('umount', [disk])
  }
}

/** Why the file system cannot be searched here. */
async function imagesAreLacking(): Promise<string | false> {
  const folder = mkdtempSync(join(tmpdir(), 'rv-image-'))
  try {
    await onImage(folder, 4, async () => undefined)
    return false
  } catch {
    return 'a small file system cannot be made and mounted here: it needs root, mkfs.ext4 and a loop device'
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const NEW_KEY = Buffer.alloc(32, 8)
const skip = await imagesAreLacking()

/** What happens to a store before its evidence is confirmed, and how it is opened then. */
const FATES: Readonly<Record<string, (disk: string) => Promise<Store>>> = {
  'that was left as it is': async (disk) => openTestStore(disk),
  'that was put under a new key': async (disk) => {
    const change = { prepare: async () => undefined, record: { keyId: 'x' }, at: START }
    await rekeyStore({ file: storeFileIn(disk), key: KEY, maxSizeMiB: 64 }, NEW_KEY, change)
    return openTestStore(disk, { key: NEW_KEY })
  },
  'that was salvaged': async (disk) => {
    const db = openDatabase({ file: storeFileIn(disk), key: KEY, maxSizeMiB: 64 })
    const page = "SELECT rootpage FROM sqlite_schema WHERE name = 'outbox'"
    const root = db.prepare<[], { rootpage: number }>(page).get()?.rootpage ?? 0
    db.close()
    const bytes = readFileSync(storeFileIn(disk))
    bytes.fill(0, (root - 1) * 4096 + 700, (root - 1) * 4096 + 710)
    writeFileSync(storeFileIn(disk), bytes)
    return openSalvaging(disk, START)
  },
}

for (const [fate, reopen] of Object.entries(FATES)) {
  await t.test(
    `the file system keeps no half of a destroyed key that lay in a file, of a store ${fate}`,
    { skip },
    async (t) => onImage(t.testdir(), 96, (disk, image) => eraseOn(t, { disk, image, reopen })),
  )
}

/** The bytes of a file system without what was never written to: most of it, and slow to search. */
function written(image: Buffer): Buffer {
  const empty = Buffer.alloc(1024)
  const blocks = Array.from({ length: image.length / 1024 }, (_, i) =>
    image.subarray(1024 * i, 1024 * (i + 1)),
  )
  return Buffer.concat(blocks.filter((block) => !block.equals(empty)))
}

async function eraseOn(
  t: Test,
  { disk, image, reopen }: { disk: string; image: string; reopen: (disk: string) => Promise<Store> },
): Promise<void> {
  const search = (): Buffer => {
    execFileSync('sync', ['-f', disk])
    return written(readFileSync(image))
  }
  const sealed = sealedFixture()
  {
    using store = openTestStore(disk)
    store.evidence.commit(sealed, aboutAt(START))
  }
  const halves = dayFiles(disk).map((file) => readFileSync(file).subarray(0, 32))
  t.equal(halves.length, 1)
  const { files } = covered(disk)
  const before = search()
  t.ok(
    halves.every((half) => before.includes(half)) && holds([before], files),
    'the search finds what is there',
  )
  {
    using store = await reopen(disk)
    t.same(store.outbox.chunk(sealed.evidenceId, 1), sealed.chunks[1], 'it is still whole')
    deliver(store, sealed, START)
    store.expiry.destroyDayKeys(START)
    while (store.expiry.compact());
  }
  const after = search()
  t.notOk(halves.some((half) => after.includes(half)))
  t.notOk(
    holds([after, ...opened(after), ...opened(after, NEW_KEY)], sealed.chunks),
    'nor the sealed bytes, whoever has the database key',
  )
  t.notOk(holds([after], files), 'nor those of its file')
}

await t.test(
  'a key file with one bad block still opens its day; with two, its evidence says so',
  async (t) => {
    const folder = t.testdir()
    const sealed = sealedFixture()
    {
      using store = openTestStore(folder)
      store.evidence.commit(sealed, aboutAt(START))
    }
    const [file = ''] = dayFiles(folder)
    const bytes = readFileSync(file)
    bytes.fill(0, 0, 4096)
    writeFileSync(file, bytes)
    {
      using store = openTestStore(folder)
      t.same(store.outbox.chunk(sealed.evidenceId, 0), sealed.chunks[0])
    }
    writeFileSync(file, 'torn')
    using store = openTestStore(folder)
    t.throws(() => store.outbox.chunk(sealed.evidenceId, 0), { code: 'ERR_DAY_KEY' })
    t.throws(() => store.outbox.manifest(sealed.evidenceId), { code: 'ERR_DAY_KEY' })
    t.equal(store.inventory.counts().pending, 1, 'it is still there')
    const next = sealedFixture()
    store.evidence.commit(next, aboutAt(START))
    t.same(store.outbox.chunk(next.evidenceId, 0), next.chunks[0], 'and new evidence gets a new key')
    t.equal(store.outbox.settle(receiptFor(sealed), START), 'deleted', 'a receipt needs no key')
  },
)

for (const isLayered of [false, true])
  await t.test(
    `evidence that an earlier version stored in the database, with${isLayered ? '' : 'out'} the outer layer, is readable and moves out`,
    async (t) => {
      const folder = t.testdir()
      const all = [sealedFixture(), sealedFixture()]
      {
        using store = openTestStore(folder)
        for (const sealed of all) store.evidence.commit(sealed, aboutAt(START))
      }
      makeEarlier(folder, all, { at: START, isLayered })
      using store = openTestStore(folder)
      const readable = (): void => {
        for (const { evidenceId, chunks, manifest } of all) {
          chunks.forEach((chunk, i) => t.same(store.outbox.chunk(evidenceId, i), chunk))
          t.same(store.outbox.manifest(evidenceId), manifest)
        }
      }
      readable()
      t.same(evidenceFiles(folder), [])
      t.ok(store.expiry.moveOlder(START))
      readable()
      t.ok(store.expiry.moveOlder(START))
      t.notOk(store.expiry.moveOlder(START))
      readable()
      t.equal(evidenceFiles(folder).length, 2)
      while (store.expiry.compact());
      t.ok(statSync(storeFileIn(folder)).size < 200_000, 'the database has given the room back')
      const sealed = all.flatMap(({ chunks }) => chunks)
      t.notOk(holds([everything(folder), ...opened(everything(folder))], sealed))
    },
  )

await t.test(
  'what an earlier version stored under a key that is gone keeps nothing else from moving',
  async (t) => {
    const folder = t.testdir()
    const [first, second] = [sealedFixture(), sealedFixture()]
    {
      using store = openTestStore(folder)
      store.evidence.commit(first, aboutAt(START))
      store.evidence.commit(second, aboutAt(START + DAY))
    }
    makeEarlier(folder, [first], { at: START, isLayered: true })
    makeEarlier(folder, [second], { at: START + DAY, isLayered: true })
    rmSync(join(`${storeFileIn(folder)}.days`, dayOfKey(folder, '2026-03-01')))
    using store = openTestStore(folder)
    t.ok(store.expiry.moveOlder(START + DAY))
    t.notOk(store.expiry.moveOlder(START + DAY))
    t.same(evidenceFiles(folder), [fileNameOf(second.evidenceId)])
    t.throws(() => store.outbox.chunk(first.evidenceId, 0), { code: 'ERR_DAY_KEY' })
  },
)

await t.test(
  'the file of deleted evidence that an interruption left is removed by the next start',
  async (t) => {
    const folder = t.testdir()
    const sealed = sealedFixture()
    using store = openTestStore(folder)
    store.evidence.commit(sealed, aboutAt(START))
    const file = evidenceFileIn(folder, sealed.evidenceId)
    const bytes = readFileSync(file)
    deliver(store, sealed, START)
    t.same(evidenceFiles(folder), [])
    writeFileSync(file, bytes, { mode: 0o600 })
    // Older than the mark, it may be of another copy for all that its age says: only the tombstone tells.
    utimesSync(file, 1, 1)
    store[Symbol.dispose]()
    openTestStore(folder)[Symbol.dispose]()
    t.same(evidenceFiles(folder), [])
  },
)

await t.test(
  'a file that no store names is kept for who puts another copy back, and not for longer',
  async (t) => {
    const folder = t.testdir()
    using store = openTestStore(folder)
    store.evidence.commit(sealedFixture(), aboutAt(START))
    const stray = evidenceFileIn(folder, 'of another copy')
    writeFileSync(stray, 'of another copy', { mode: 0o600 })
    utimesSync(stray, START / 1000, START / 1000)
    store.expiry.deleteSetAsides(START - 1)
    t.equal(evidenceFiles(folder).length, 2)
    store.expiry.deleteSetAsides(START + 1)
    t.equal(evidenceFiles(folder).length, 1)
  },
)
