import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sendCommand, type Order } from '../../src/receiver/commander.ts'
import { loadReceiverConfig } from '../../src/receiver/config.ts'
import type { StoredEvidence } from '../../src/receiver/incoming.ts'
import { createReceiver } from '../../src/receiver/receiver.ts'
import { loadPublicKey } from '../../src/sealing/keys.ts'
import { type Commanded, NAMES } from './commanded.ts'
import { keptLog } from './kept-log.ts'
import { until } from './until.ts'

export const HOLD = {
  kind: 'hold',
  caseNumber: '7/26',
  subject: { criteria: { camera: 'bus-stop' } },
  by: 'ada',
  reason: 'court order',
} as const satisfies Order

/** The city of a box, which commands as `roadveil command` does. */
export async function cityOf({ broker: { trial } }: Commanded) {
  const config = await loadReceiverConfig(trial.city.config)
  const { id, publicKey } = loadPublicKey(join(trial.city.devices, `${NAMES.device}.pem`))
  const sender = { deviceId: NAMES.device, deviceKeys: new Map([[id, publicKey]]) }
  const deps = { logger: keptLog(), now: Date.now, env: {}, signal: new AbortController().signal }
  const stored: StoredEvidence[] = []
  return {
    config,
    sender,
    log: deps.logger,
    /** What the receiver has told that it stored. */
    stored,
    send: (order: Order, timeoutMs = 10_000, changed: object = {}) =>
      sendCommand({ ...config, ...changed }, { box: NAMES, order, validDays: 1, timeoutMs }, deps),
    async startReceiver() {
      const stop = new AbortController()
      const receiver = createReceiver(config, { ...deps, stored: (evidence) => stored.push(evidence) })
      const ended = receiver.run(stop.signal)
      await until('the city listens', receiver.connected)
      return {
        async [Symbol.asyncDispose]() {
          stop.abort()
          await ended
        },
      }
    },
    /** The files that the city has of its commands. */
    filed: () =>
      filesIn(join(config.stateDirectory, 'commands'))
        .filter((name) => name.endsWith('.json'))
        .sort(),
    read: (name: string) => readFileSync(join(config.stateDirectory, 'commands', name)),
  }
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
}
