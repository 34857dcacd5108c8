import fs, { readFileSync, writeSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { Config } from '../../../src/config/config.ts'
import { rewrapDatabaseKey, rotateDatabaseKey, rotateSigningKey } from '../../../src/vault/key-change.ts'
import { aboutAt, sealedFixture } from '../../store/store.fixture.ts'
import { diceOf } from '../dice.ts'
import { openAsVault } from './open-as-vault.ts'

/**
 * A process that stores evidence and changes keys in turn, and says on stdout what was acknowledged:
 * `node key-writer.ts CONFIG.json SEED TURNS [RENAMES]`. After so many renames it dies, before their folder can be synced.
 */
const [, , file = '', seed = '', turns = '', renames = ''] = process.argv
if (renames !== '') dieAfterRenames(Number(renames))
const config = JSON.parse(readFileSync(file, 'utf8')) as Config
const dice = diceOf(Number(seed))
const say = (line: string): void => void writeSync(1, `${line}\n`)

for (let turn = 0; turn < Number(turns); turn++) {
  {
    using store = openAsVault(config)
    const sealed = sealedFixture(dice.between(500, 60_000))
    store.evidence.commit(sealed, aboutAt(Date.now()))
    say(`stored ${sealed.evidenceId} ${sealed.ciphertextSha256}`)
  }
  const box = { config, env: {}, at: Date.now() }
  const chance = dice.next()
  if (chance < 0.6) await rotateDatabaseKey(box)
  else if (chance < 0.8) rotateSigningKey(box)
  else await rewrapDatabaseKey(box, { newDeviceKey: dice.chance(0.7) })
}

function dieAfterRenames(most: number): void {
  const { renameSync } = fs
  let count = 0
  fs.renameSync = (from, to) => {
    renameSync(from, to)
    if (++count === most) process.kill(process.pid, 'SIGKILL')
  }
  syncBuiltinESMExports()
}
