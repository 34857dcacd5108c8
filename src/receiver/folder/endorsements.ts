import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type EndorsementShelf, MAX_ENDORSEMENTS } from '../endorsed-keys.ts'
import { replaceFile } from './files.ts'

const SUFFIX = '.dsse.json'

/** Keeps endorsements as `<state>/endorsements/<device>/<key id>.dsse.json`. */
export function folderEndorsements(stateDirectory: string): EndorsementShelf {
  const folderOf = (device: string): string => join(stateDirectory, 'endorsements', device)
  return {
    of: async (device) => envelopesIn(folderOf(device)),
    async change(device, decide) {
      const folder = folderOf(device)
      const added = decide(envelopesIn(folder))
      if (!added) return false
      await replaceFile(join(folder, `${added.keyId}${SUFFIX}`), added.envelope)
      return true
    },
  }
}

function envelopesIn(folder: string): Buffer[] {
  if (!existsSync(folder)) return []
  const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX))
  return names.slice(0, 2 * MAX_ENDORSEMENTS).map((name) => readFileSync(join(folder, name)))
}
