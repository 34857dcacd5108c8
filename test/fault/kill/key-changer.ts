import { readFileSync, writeSync } from 'node:fs'
import type { Config } from '../../../src/config/config.ts'
import { rewrapDatabaseKey, rotateDatabaseKey, rotateSigningKey } from '../../../src/vault/key-change.ts'
import { diceOf } from '../dice.ts'

/** A process that changes one key after the other, in an order of chance, until it is killed: `node key-changer.ts CONFIG.json SEED`. */
const [, , file = '', seed] = process.argv
const dice = diceOf(Number(seed))
const config = JSON.parse(readFileSync(file, 'utf8')) as Config
writeSync(1, 'ready\n')
for (;;) {
  const box = { config, env: {}, at: Date.now() }
  const chance = dice.next()
  if (chance < 0.4) await rotateDatabaseKey(box)
  else if (chance < 0.6) rotateSigningKey(box)
  else await rewrapDatabaseKey(box, { newDeviceKey: chance < 0.9 })
  writeSync(1, 'changed\n')
}
