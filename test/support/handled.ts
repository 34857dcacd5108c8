import { createHash, randomUUID } from 'node:crypto'
import { channel } from 'node:diagnostics_channel'
import type { Trial } from '../../src/trial/trial.ts'

/**
 * What fixtures give the program to handle, for whoever wants to know that nothing of it is anywhere afterwards: a fault suite plants it
 * and searches. Elsewhere nobody listens.
 */
export type Handled =
  /** Keys and certificates of a box, its city and their broker. */
  | { readonly kind: 'trial'; readonly trial: Trial }
  /** A key or password of one's own. */
  | { readonly kind: 'secret'; readonly name: string; readonly secret: string | Uint8Array }
  /** What was logged, printed or sent: no secret may be in it. */
  | { readonly kind: 'text'; readonly where: string; readonly text: string | Uint8Array }

const handled = channel('roadveil.test.handled')

/** Tells whoever listens. */
export function tellHandled(what: Handled): void {
  handled.publish(what)
}

/** Hears of all that is handled in this process, until it is disposed of. */
export function hearHandled(hear: (what: Handled) => void): Disposable {
  const listener = (message: unknown): void => hear(message as Handled)
  handled.subscribe(listener)
  return {
    [Symbol.dispose]() {
      handled.unsubscribe(listener)
    },
  }
}

/** Whether anybody wants to know. */
export function isHeard(): boolean {
  return handled.hasSubscribers
}

/** The environment variable that makes marks of one run others than those of another one beside it. Processes have it from their parents. */
export const MARKS_OF = 'RV_TEST_MARKS_OF'
const run = (process.env[MARKS_OF] ??= randomUUID())

// Made here and written nowhere: caches of compiled sources are searched as well.
const markFor = (what: string): Buffer => createHash('sha256').update(`a mark of ${run} for ${what}`).digest()

/** Every picture and every clip of a synthetic evidence begins with it. */
export const PICTURE_MARK = markFor('pictures')

/** Every chunk of a sealed evidence that was never opened begins with it. */
export const SEALED_MARK = markFor('sealed bytes')

/** On every synthetic evidence that is given no other plate. */
export const USUAL_PLATE = `RV${markFor('plates').toString('hex').slice(0, 7).toUpperCase()}`

/** A password that nobody else has. */
export const passwordFor = (what: string): string =>
  markFor(`a password for ${what}`).toString('base64url').slice(0, 16)
