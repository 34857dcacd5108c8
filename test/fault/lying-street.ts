import { join } from 'node:path'
import { type BoxAndCity, DEVICE, setUpBoxAndCity, SITE } from '../support/delivery.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import type { Dice } from './dice.ts'
import { type Fate, layLyingLink } from './lying-link.ts'

/** How often a wire lies about a message. */
const SHARE = 0.35
const LIES = ['drop', 'refuse', 'swallow', 'double', 'cut'] as const satisfies readonly Fate[]
/** How often the broker is killed before it is honest again. */
const KILLED = 0.2

/** A box and a city with a real broker between them, and wires on both sides of it that lie about messages until they are healed. */
export interface LyingStreet extends AsyncDisposable {
  readonly both: BoxAndCity
  /** Lies told so far. */
  told(): number
  turn(): void
  /** Kills the broker now and then; from then on everything is as it should be. */
  heal(): Promise<void>
}

/** Lays the street, hostile. */
export async function setUpLyingStreet(folder: string, dice: Dice): Promise<LyingStreet> {
  await using stack = new AsyncDisposableStack()
  const broker = stack.use(await startMosquitto(join(folder, 'trial'), { site: SITE, device: DEVICE }))
  const { trial, port } = broker
  let isHostile = true
  let told = 0
  const fate = (): Fate => {
    if (!isHostile || !dice.chance(SHARE)) return 'pass'
    told += 1
    return dice.pick(LIES)
  }
  const box = stack.use(await layLyingLink(trial, port, fate))
  const city = stack.use(await layLyingLink({ box: trial.city, broker: trial.broker }, port, fate))
  const ports = { box: box.port, city: city.port }
  const both = stack.use(await setUpBoxAndCity(trial, folder, { ports, cityTiming: { askAfterMs: 100 } }))
  const owned = stack.move()
  return {
    both,
    told: () => told,
    turn: () => void (isHostile = true),
    async heal() {
      if (dice.chance(KILLED)) {
        await broker.kill()
        await broker.restart()
      }
      isHostile = false
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
