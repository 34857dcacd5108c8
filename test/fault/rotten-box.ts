import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readdirSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../../src/config/config.ts'
import { folderCheckpoints } from '../../src/receiver/folder/checkpoints.ts'
import { createWitness as createCityWitness } from '../../src/receiver/witness.ts'
import { loadPublicKey, loadSigningKey, type SigningKey, type VerifyKeys } from '../../src/sealing/keys.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { type DatabaseFile, openDatabase } from '../../src/store/database.ts'
import { clockJudge } from '../../src/retention/clock.ts'
import type { SealedParts } from '../../src/store/evidence.ts'
import { openStore, type Store } from '../../src/store/open.ts'
import { loadStoreKeys, openWith, wipe } from '../../src/vault/keys.ts'
import { createWitness } from '../../src/vault/witness.ts'
import { receiptFor } from '../store/store.fixture.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { deskOn, type SentCommand, signDraft } from '../support/command-desk.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import type { Rounds } from './suite.ts'

export const NAMES = { site: 'main-street', device: 'box-1' } as const
export const STARTED = Date.parse('2026-03-01T08:00:00.000Z')
/** The cases that hold evidence of the box: a person at the box has placed the first, the city by command the other. */
export const CASES = ['7', '8'] as const
/** On every evidence of the box. */
export const PLATE = 'RV999ZZ'

/** How a box is found: stopped well, killed with its log beside the database, or as it was before its newest evidence. */
type State = 'stopped' | 'killed' | 'old'

/** A box with evidence in it that is put back into one of its states before each fault, and the city that knows it. */
export interface RottenBox {
  readonly config: Config
  /** Acknowledged, and waiting for the city. */
  readonly waiting: readonly SealedParts[]
  /** Of those, ids of what the old copy lacks. */
  readonly newest: ReadonlySet<string>
  /** Ids of what the two cases hold; the city has confirmed the second, and only they keep it. */
  readonly held: readonly [pending: string, delivered: string]
  /**
   * Commands that were done. One of them lets go what the second case holds, which it has held anew since: the old copy does not know
   * of either.
   */
  readonly spent: readonly SentCommand[]
  putInto(state: State): void
  /** Puts the database of a state in place, and leaves everything else. */
  putDatabaseOf(state: State): void
  putKeysBack(): void
  /** The page of the database at which a table begins. */
  pageOf(table: string): number
  /** What takes commands with this store, at this moment. */
  desk(store: Store, at: number): Promise<Awaited<ReturnType<typeof deskOn>>['desk']>
  /** A command of the city, issued at this moment. */
  sign(draft: object, at: number): SentCommand
  /** Opens the store as the vault does; `onDamage` is called where the vault would end to be started again. */
  open(log: ReturnType<typeof keptLog>, onDamage?: () => void): Store
  seal(clipBytes: number): Promise<SealedParts>
  /** Codes of the alarms that the city raises when it hears of the log now, after what it heard before the fault. */
  alarms(store: Store): Promise<readonly string[]>
}

export async function makeRottenBox({ folder, dice, planted }: Rounds): Promise<RottenBox> {
  const trial = await brokerlessTrial(folder, NAMES)
  const config = boxConfig(trial, NAMES, { maxSizeMiB: 64 })
  const state = join(trial.box.directory, 'state')
  const keysFolder = join(trial.box.directory, 'keys')
  const run = (program: string, ...args: string[]): void => void execFileSync(program, args)
  const keys = loadStoreKeys(config, {})
  planted.plant('the plate', PLATE)
  const { signing, signers, database } = keys
  const commandKey = loadSigningKey({ name: 'none', file: trial.city.commandKey, env: {} })
  const { id, publicKey } = loadPublicKey(trial.box.commandPublicKey)
  const desk: RottenBox['desk'] = async (store, at) => {
    const isClockPlausible = clockJudge({
      newestAt: () => store.expiry.newestAt(),
      isKept: async () => false,
    })
    const about = { config, cityKeys: new Map([[id, publicKey]]), now: () => at, isClockPlausible }
    return (await deskOn(store, about)).desk
  }
  const sign: RottenBox['sign'] = (draft, at) => signDraft(draft, { config, key: commandKey, at })

  const open: RottenBox['open'] = (log, onDamage = () => undefined) => {
    const opened = loadStoreKeys(config, {})
    const { file, maxSizeMiB } = config.store
    const deps = { file, maxSizeMiB, deviceId: NAMES.device, logger: log, onDamage }
    try {
      return openWith(opened, (key) => openStore({ ...deps, key, salvage: { at: STARTED + 1_000 } })).opened
    } finally {
      wipe(opened)
    }
  }
  const seal: RottenBox['seal'] = (clipBytes) => {
    const evidence = syntheticEvidence({ ...NAMES, plateText: PLATE, clipBytes })
    return sealEvidence(evidence, {
      signingKey: signing,
      recipients: config.city.recipients,
      sealedAt: STARTED,
    })
  }
  const commit = async (store: Store): Promise<SealedParts> => {
    const sealed = await seal(dice.between(20_000, 120_000))
    store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'r', judgedAt: STARTED, at: STARTED })
    return sealed
  }

  const waiting: SealedParts[] = []
  const newest: SealedParts[] = []
  const spent: SentCommand[] = []
  const command = async (store: Store, draft: object): Promise<void> => {
    const sent = sign(draft, STARTED + spent.length)
    await (await desk(store, STARTED + spent.length)).take(sent.commandId, sent.envelope)
    spent.push(sent)
  }
  let heard: Uint8Array
  let heldIds: RottenBox['held']
  {
    using store = open(keptLog())
    for (let n = 0; n < 8; n++) waiting.push(await commit(store))
    const [held, gone] = [await commit(store), await commit(store)]
    heldIds = [waiting[0]?.evidenceId ?? '', held.evidenceId]
    const hold = { reason: 'court', by: 'officer', at: STARTED, caseNumber: CASES[0] }
    for (const evidenceId of heldIds) store.holds.place(evidenceId, hold)
    const held8 = { kind: 'hold', caseNumber: CASES[1], subject: { evidenceIds: heldIds } }
    await command(store, held8)
    for (const each of [held, gone]) store.outbox.settle(receiptFor(each), STARTED)
    run('cp', '-a', state, join(folder, 'old'))
    await command(store, { kind: 'release', caseNumber: CASES[1] })
    await command(store, held8)
    for (let n = 0; n < 3; n++) newest.push(await commit(store))
    heard = checkpointOf(store, signing)
    run('cp', '-a', state, join(folder, 'killed'))
  }
  run('cp', '-a', state, join(folder, 'stopped'))
  run('cp', '-a', keysFolder, join(folder, 'good-keys'))
  planted.except(join(folder, 'good-keys'))

  const { file } = config.store
  const pages = pagesOf({ ...config.store, key: database })
  wipe(keys)
  return {
    ...{ config, open, seal, desk, sign, spent, held: heldIds, waiting: [...waiting, ...newest] },
    pageOf: (table) => pages.get(table) ?? 0,
    newest: new Set(newest.map(({ evidenceId }) => evidenceId)),
    putInto(which) {
      run('rm', '-rf', state)
      run('cp', '-a', join(folder, which), state)
    },
    putDatabaseOf(which) {
      run('rm', '-f', file, `${file}-wal`)
      for (const end of ['', '-wal'])
        if (existsSync(join(folder, which, `store.db${end}`)))
          run('cp', '-a', join(folder, which, `store.db${end}`), `${file}${end}`)
    },
    putKeysBack() {
      run('rm', '-rf', keysFolder)
      run('cp', '-a', join(folder, 'good-keys'), keysFolder)
    },
    async alarms(store) {
      const city = join(folder, 'city')
      run('rm', '-rf', city)
      mkdirSync(city, { mode: 0o700 })
      return alarmsOf(city, signers, [heard, checkpointOf(store, signing)])
    },
  }
}

function pagesOf(store: DatabaseFile): ReadonlyMap<string, number> {
  const db = openDatabase(store)
  try {
    const roots = db.prepare<[], { name: string; page: number }>(
      'SELECT name, rootpage AS page FROM sqlite_schema WHERE rootpage > 0',
    )
    return new Map(roots.all().map(({ name, page }) => [name, page]))
  } finally {
    db.close()
  }
}

/** What the box says to the city about its log at a start. */
function checkpointOf(store: Store, signingKey: SigningKey): Uint8Array {
  store.audit.record('vault-started', { version: '0.0.0' }, STARTED + 1_000)
  const now = (): number => STARTED + 1_000
  const checkpoint = createWitness({ store, ...NAMES, signingKey, now, logger: keptLog() }).current()
  if (!checkpoint) throw new Error('the box signs no checkpoint')
  return checkpoint.envelope
}

async function alarmsOf(city: string, keys: VerifyKeys, heard: readonly Uint8Array[]): Promise<string[]> {
  const witness = createCityWitness(folderCheckpoints(city, Date.now), {
    deviceKeys: async () => keys,
    logger: keptLog(),
  })
  for (const envelope of heard) await witness.take(NAMES, Buffer.from(envelope))
  const alarms = join(city, 'alarms')
  if (!existsSync(alarms)) return []
  return readdirSync(alarms).map(
    (name) => (JSON.parse(readFileSync(join(alarms, name, 'reason.json'), 'utf8')) as { code: string }).code,
  )
}
