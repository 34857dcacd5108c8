import { loadReceiverConfig } from '../../../src/receiver/config.ts'
import { createReceiver } from '../../../src/receiver/receiver.ts'
import type { Trial } from '../../../src/trial/trial.ts'
import { keptLog } from '../../support/kept-log.ts'

/** The real receiver in this process, which nobody kills. */
export interface City extends AsyncDisposable {
  /** How often it has accepted which evidence. */
  readonly atCity: ReadonlyMap<string, number>
}

export async function startCity(trial: Trial): Promise<City> {
  const atCity = new Map<string, number>()
  const ending = new AbortController()
  const receiver = createReceiver(await loadReceiverConfig(trial.city.config), {
    ...{ logger: keptLog(), now: Date.now, env: {} },
    stored: ({ evidenceId }) => void atCity.set(evidenceId, (atCity.get(evidenceId) ?? 0) + 1),
  })
  const receiving = receiver.run(ending.signal)
  return {
    atCity,
    async [Symbol.asyncDispose]() {
      ending.abort()
      await receiving
    },
  }
}
