import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { decodeFrames } from '../../../src/camera/decode.ts'
import type { PacketClip } from '../../../src/camera/packet-ring.ts'
import { isRoadveilError } from '../../../src/errors.ts'
import type { Store } from '../../../src/store/open.ts'
import { loadStoreKeys, wipe } from '../../../src/vault/keys.ts'
import { createIntake } from '../../../src/vault/intake.ts'
import { cameraConfig, quickCamera, takeFrames } from '../../camera/cameras.ts'
import { syntheticEvidence } from '../../support/evidence.ts'
import { keptLog } from '../../support/kept-log.ts'
import { renderVideo } from '../../support/video.ts'
import type { Dice } from '../dice.ts'
import { expectHarm } from '../control.ts'
import { judgeWord } from '../held.ts'
import { judgeRecovery } from '../recovery.ts'
import { CASES, makeRottenBox, NAMES, PLATE, type RottenBox, STARTED } from '../rotten-box.ts'
import type { FaultSuite, Rounds } from '../suite.ts'
import type { Harm } from '../tally.ts'

const KEY_FAULTS = /^ERR_(KEY_INVALID|KEY_WRAP|SECRET_FILE|STORE_KEY|ENDORSEMENT_INVALID|SIGNATURE_INVALID)$/

const PAGE = 4096
/** Pages that all evidence shares. */
const SHARED_PAGES = 30

/** Bits flip in what the box keeps, files are cut off, an old copy is put back. */
export const bitRot: FaultSuite = {
  name: 'bit-rot',
  fault: 'flips and cuts in database, log, evidence, keys, ring and spool; an old copy put back',
  counts: { short: 50, long: 1_000 },
  async run(rounds) {
    const { count, signal, tally } = rounds
    const box = await makeRottenBox(rounds)
    await tryControls(box, rounds)
    const faults = faultsOf(box, await makeClip(rounds.folder), rounds)
    for (let round = 0; round < count && !signal.aborted; round++) {
      const fault = faults[round % faults.length]
      if (!fault) return
      tally.injected()
      try {
        await fault.inject()
      } catch (error) {
        const what = error instanceof Error ? (error.stack ?? error.message) : String(error)
        tally.harm('broken', `${fault.name}: ${what}`)
      }
    }
  },
}

/** Boxes that do what they must never do. */
async function tryControls(box: RottenBox, rounds: Rounds): Promise<void> {
  const { file } = box.config.store
  const control = async (kind: Harm, what: string, damage: () => void, lie: (store: Store) => Store) =>
    expectHarm(rounds, kind, what, async ({ tally }) => {
      box.putInto('stopped')
      damage()
      const open: RottenBox['open'] = (...how) => lie(box.open(...how))
      await judgeRecovery(what, { ...box, open }, { hits: Infinity, tally })
    })
  const nothing = (): void => undefined
  await control('broken', 'a box that forgets what it was commanded', nothing, (store) => ({
    ...store,
    commands: { ...store.commands, find: () => undefined, isLost: () => false },
  }))
  await control('broken', 'a box that loses its holds', nothing, (store) => {
    for (const caseNumber of CASES)
      if (store.holds.list().some((hold) => hold.caseNumber === caseNumber))
        store.holds.releaseCase(caseNumber, { reason: 'none', by: 'nobody', at: STARTED })
    return store
  })
  const hitAll = (): void => void flipEvidence(file, rounds.dice)
  await control('lost', 'a box that says nothing of holds on what it lost', hitAll, (store) => ({
    ...store,
    damage: {
      ...store.damage,
      setAsides: () => store.damage.setAsides().map((each) => ({ ...each, lostUnderHold: [] })),
    },
  }))
}

interface Fault {
  readonly name: string
  inject(): Promise<void>
}

function faultsOf(box: RottenBox, clip: PacketClip, { dice, tally }: Rounds): readonly Fault[] {
  const { file, keyFile } = box.config.store
  const { device } = box.config
  const some = (): number => dice.pick([1, 1, 1, 3, 20] as const)
  const damaged = (name: string, state: 'stopped' | 'killed', damage: () => number): Fault => ({
    name,
    async inject() {
      box.putInto(state)
      await judgeRecovery(name, box, { hits: damage(), tally })
    },
  })
  const onKey = (name: string, path: string): Fault => ({
    name,
    async inject() {
      box.putInto('stopped')
      damageKey(path, dice)
      const harm = openWithout(box)
      if (harm !== undefined) tally.harm('broken', `${name}: ${harm}`)
      box.putKeysBack()
      await judgeRecovery(`${name}, put back`, box, { hits: 0, tally })
    },
  })
  return [
    damaged('flips in the database', 'stopped', () => flip(file, some(), dice)),
    damaged('flips in the log', 'killed', () => flip(`${file}-wal`, some(), dice)),
    damaged('a flip in the database', 'stopped', () => flip(file, 1, dice)),
    damaged('the database cut off', 'stopped', () => cut(file, dice)),
    damaged('a flip in what all evidence shares', 'stopped', () => flip(file, 1, dice, SHARED_PAGES * PAGE)),
    damaged('the log cut off', 'killed', () => cut(`${file}-wal`, dice)),
    damaged('a flip in the table of commands', 'stopped', () => flipPages(box, ['command'], dice)),
    damaged('flips in commands and log', 'stopped', () => flipPages(box, ['command', 'audit'], dice)),
    damaged(
      'flips in the file of an evidence',
      'stopped',
      () => (flip(dice.pick(evidenceFiles(file)), some(), dice), 1),
    ),
    damaged(
      'the file of an evidence cut off',
      'killed',
      () => (cut(dice.pick(evidenceFiles(file)), dice), 1),
    ),
    damaged('the file of an evidence gone', 'stopped', () => (rmSync(dice.pick(evidenceFiles(file))), 1)),
    damaged('flips in all evidence', 'stopped', () => flipEvidence(file, dice)),
    damaged('a flip in the first bytes', 'stopped', () => flip(file, 1, dice, 16)),
    damaged('flips in a database whose log is there', 'killed', () => flip(file, some(), dice)),
    damaged('flips in the half of a day key', 'stopped', () => (flip(dayFile(file), some(), dice), Infinity)),
    damaged(
      'flips in mark and head',
      'stopped',
      () => flip(`${file}.${dice.pick(['mark', 'head'] as const)}`, 3, dice) * 0,
    ),
    onKey('a damaged database key', keyFile),
    onKey('a damaged device key', device.keyFile ?? ''),
    onKey('a damaged signing key', device.signingKeyFile),
    { name: 'an old copy', inject: () => putBack(box, tally) },
    { name: 'damage in the spool', inject: () => damageSpool(box, dice, tally) },
    { name: 'damage in the ring', inject: () => damageRing(clip, dice, tally) },
  ]
}

/** Flips bits in the first bytes of a file, and returns how many. */
function flip(file: string, flips: number, dice: Dice, within = Infinity): number {
  const bytes = readFileSync(file)
  for (let n = 0; n < flips; n++) {
    const at = dice.between(0, Math.min(bytes.length, within) - 1)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.between(0, 7))
  }
  writeFileSync(file, bytes)
  return flips
}

/** Flips a bit in the first page of each of these tables; the audit log is in one page of this box. */
function flipPages(box: RottenBox, tables: readonly string[], dice: Dice): number {
  for (const table of tables) flipIn(box.config.store.file, (box.pageOf(table) - 1) * PAGE, PAGE, dice)
  return tables.length
}

function evidenceFiles(file: string): readonly [string, ...string[]] {
  const [first, ...others] = readdirSync(`${file}.evidence`).map((name) => join(`${file}.evidence`, name))
  if (first === undefined) throw new Error('the box has no evidence')
  return [first, ...others]
}

/** None of it can be saved. */
function flipEvidence(file: string, dice: Dice): number {
  for (const each of evidenceFiles(file)) flip(each, 1, dice)
  return Infinity
}

function flipIn(file: string, from: number, length: number, dice: Dice): void {
  const bytes = readFileSync(file)
  const at = dice.between(from, from + length - 1)
  bytes[at] = (bytes[at] ?? 0) ^ (1 << dice.between(0, 7))
  writeFileSync(file, bytes)
}

/** Cuts a file off somewhere: anything may be gone. */
function cut(file: string, dice: Dice): number {
  truncateSync(file, dice.chance(0.2) ? 0 : dice.between(0, statSync(file).size - 1))
  return Infinity
}

function dayFile(file: string): string {
  const [name = ''] = readdirSync(`${file}.days`)
  return join(`${file}.days`, name)
}

function damageKey(path: string, dice: Dice): void {
  if (dice.chance(0.2)) rmSync(path)
  else if (dice.chance(0.5)) flip(path, 1, dice)
  else cut(path, dice)
}

/** A lost key is told by its code, and costs nothing: some damage leaves a key as it was. */
function openWithout(box: RottenBox): string | undefined {
  try {
    box.open(keptLog())[Symbol.dispose]()
    return undefined
  } catch (error) {
    return isRoadveilError(error) && KEY_FAULTS.test(error.code) ? undefined : String(error)
  }
}

/** The city notices, and so does the box itself. */
async function putBack(box: RottenBox, tally: Rounds['tally']): Promise<void> {
  box.putInto('stopped')
  box.putDatabaseOf('old')
  const log = keptLog()
  using store = box.open(log)
  const harm = (what: string): void => tally.harm('broken', `an old copy: ${what}`)
  if (store.damage.missingRows === 0) harm('the box does not notice')
  const alarms = await box.alarms(store)
  if (!alarms.some((code) => code === 'ERR_AUDIT_ROLLED_BACK' || code === 'ERR_AUDIT_FORKED'))
    harm(`the city sees ${alarms.join() || 'nothing'}`)
  await judgeWord('an old copy', store, box, { wentBack: true, tally })
  for (const { evidenceId } of box.waiting)
    if (!box.newest.has(evidenceId) && !store.evidence.has(evidenceId))
      tally.harm('lost', `an old copy: ${evidenceId}`)
}

/** Evidence on its way from vision: what does not match its facts is refused with a code, and nothing of it is kept. */
async function damageSpool(box: RottenBox, dice: Dice, tally: Rounds['tally']): Promise<void> {
  box.putInto('stopped')
  const { config } = box
  using store = box.open(keptLog())
  const keys = loadStoreKeys(config, {})
  wipe(keys)
  const intake = createIntake({
    ...{ config, signingKey: keys.signing, shelf: store.evidence, selftests: store.selftests },
    ...{ now: () => STARTED, onStored: () => undefined, logger: keptLog() },
  })
  const { facts, files } = syntheticEvidence({
    ...{ ...NAMES, configSha256: config.sha256 },
    ...{ clipBytes: 20_000, plateText: PLATE },
  })
  const hit = dice.between(0, files.length - 1)
  const damaged = files.map((each, i) => (i === hit ? { ...each, bytes: rotten(each.bytes, dice) } : each))
  const outcome = await intake.evidence({ facts, files: damaged }).catch((error: unknown) => error)
  if (!isRoadveilError(outcome)) tally.harm('broken', `damage in the spool: ${JSON.stringify(outcome)}`)
  if (store.evidence.has(facts.evidenceId)) tally.harm('broken', 'damage in the spool: it is stored')
}

/** Compressed video in memory: it decodes without a fault, or nothing of it is used. */
async function damageRing(clip: PacketClip, dice: Dice, tally: Rounds['tally']): Promise<void> {
  const options = { fps: 25, from: STARTED + 200, to: STARTED + 1_200, cameraId: 'north' }
  const bytes = rotten(clip.bytes, dice)
  try {
    for await (const frame of decodeFrames({ ...clip, bytes }, options, AbortSignal.timeout(10_000)))
      if (frame.planes.length !== clip.width * clip.height * 3)
        tally.harm('broken', 'damage in the ring: half a frame')
  } catch (error) {
    if (!isRoadveilError(error)) tally.harm('broken', `damage in the ring: ${String(error)}`)
  }
}

function rotten(bytes: Uint8Array, dice: Dice): Buffer {
  const copy = Buffer.from(bytes)
  const at = dice.between(0, copy.length - 1)
  copy[at] = (copy[at] ?? 0) ^ (1 << dice.between(0, 7))
  return copy
}

async function makeClip(folder: string): Promise<PacketClip> {
  const video = await renderVideo(join(folder, 'video.mp4'), { seconds: 2, size: '320x240' })
  const { camera } = quickCamera(cameraConfig(`file:${video}`, { replay: 'fast', replayStartsAt: STARTED }))
  await takeFrames(camera, Infinity)
  return camera.ring.clip(STARTED + 200, STARTED + 1_200)
}
