import { type Handled, hearHandled, PICTURE_MARK, SEALED_MARK, USUAL_PLATE } from '../support/handled.ts'
import type { Planted } from './planted.ts'
import { plantTrial } from './planted-keys.ts'
import type { Tally } from './tally.ts'

/**
 * Plants what fixtures give the program to handle, whichever suite uses them, and searches what they hear of it: logs, what processes
 * print, what goes over a broker. Until it is disposed of.
 */
export function plantHandled(planted: Planted, tally: Pick<Tally, 'harm'>): Disposable {
  planted.plant('a picture', PICTURE_MARK)
  planted.plant('sealed bytes', SEALED_MARK)
  planted.plant('the usual plate', USUAL_PLATE)
  const told = new Set<string>()
  return hearHandled((handled: Handled) => {
    switch (handled.kind) {
      case 'trial':
        plantTrial(planted, handled.trial)
        return
      case 'secret':
        planted.plant(handled.name, handled.secret)
        return
      case 'text':
        for (const hit of planted.within(handled.where, handled.text)) {
          if (!told.has(hit)) tally.harm('leaked', hit)
          told.add(hit)
        }
    }
  })
}
