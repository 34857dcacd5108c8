import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkpoint } from '../../domain/checkpoint.ts'
import type { RoadveilError } from '../../errors.ts'
import { MAX_CHECKPOINT_BYTES } from '../../protocol/limits.ts'
import { checkpointSchema } from '../../sealing/checkpoint.ts'
import { parseStrictJson } from '../../sealing/json.ts'
import { alarmReason, type CheckpointShelf, MAX_ALARMS } from '../witness.ts'
import { makeFolder, readIfThere, replaceFile, writeFolder } from './files.ts'

const LATEST = 'latest.json'
const LATEST_ENVELOPE = 'latest.dsse.json'

/**
 * Keeps `<state>/checkpoints/<device>/latest.dsse.json`, which `roadveil audit verify --checkpoint` takes, and
 * `<state>/alarms/<device>.<time>/` for each contradiction.
 */
export function folderCheckpoints(stateDirectory: string, now: () => number): CheckpointShelf {
  const folderOf = (device: string): string => join(stateDirectory, 'checkpoints', device)

  const keep = async (checkpoint: Checkpoint, envelope: Buffer): Promise<void> => {
    const folder = folderOf(checkpoint.device)
    await replaceFile(join(folder, LATEST_ENVELOPE), envelope)
    // Last: it is what the next one is measured by.
    await replaceFile(join(folder, LATEST), Buffer.from(JSON.stringify(checkpoint)))
  }

  const setAside = async (alarm: RoadveilError, last: Checkpoint, envelope: Buffer): Promise<void> => {
    const { device } = last
    const at = new Date(now()).toISOString()
    const alarms = join(stateDirectory, 'alarms')
    await makeFolder(alarms)
    if ((await readdir(alarms)).filter((name) => name.startsWith(`${device}.`)).length >= MAX_ALARMS) return
    const before = await readIfThere(join(folderOf(device), LATEST_ENVELOPE))
    await writeFolder(join(alarms, `${device}.${at.replaceAll(':', '')}`), [
      { name: 'reason.json', bytes: Buffer.from(alarmReason(alarm, last, at)) },
      { name: 'witnessed.dsse.json', bytes: before ?? Buffer.from('') },
      { name: 'received.dsse.json', bytes: envelope },
    ])
  }

  return {
    async change(device, judge) {
      const last = await readLast(join(folderOf(device), LATEST))
      const witnessed = judge(last)
      if (!witnessed) return false
      const { checkpoint, envelope, alarm } = witnessed
      if (last && alarm) await setAside(alarm, last, envelope)
      await keep(checkpoint, envelope)
      return true
    },
  }
}

async function readLast(file: string): Promise<Checkpoint | undefined> {
  const bytes = await readIfThere(file)
  if (!bytes) return undefined
  return parseStrictJson(bytes, checkpointSchema, {
    maxBytes: MAX_CHECKPOINT_BYTES,
    code: 'ERR_CHECKPOINT_INVALID',
    what: file,
  })
}
