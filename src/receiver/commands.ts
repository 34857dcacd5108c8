import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { RoadveilError } from '../errors.ts'
import type { Logger } from '../log.ts'
import { MAX_ANSWER_BYTES } from '../protocol/limits.ts'
import { isUuid } from '../protocol/topics.ts'
import { type Answer, verifyAnswer } from '../sealing/answer.ts'
import { peekCommand } from '../sealing/command.ts'
import { sha256Hex } from '../sealing/seal.ts'
import type { DeviceKeys } from './devices.ts'
import { makeFolder, readIfThere, replaceFile } from './folder/files.ts'

/** One box, as topics name it. */
export interface Box {
  readonly site: string
  readonly device: string
}

/** A command that its box has not answered. */
export interface OpenCommand {
  readonly commandId: string
  readonly envelope: Buffer
  /** Seconds that it is valid from now on. */
  readonly validSeconds: number
}

/** The city's commands and what became of them: `<state>/commands/<site>/<device>/<command id>/`, kept as the record of both. */
export interface CommandFiles {
  /** Keeps a signed command, before anything of it is sent. Throws ERR_OUTPUT_FAILED. */
  keep(box: Box, commandId: string, envelope: Uint8Array): Promise<void>
  /**
   * Checks an answer and keeps it, unless the command was not issued here. A refusal never takes the place of what was done.
   *
   * @throws what `verifyAnswer` and `deviceKeys` throw, ERR_MESSAGE, ERR_ANSWER_INVALID when it is about something else, ERR_OUTPUT_FAILED.
   */
  takeAnswer(from: Box & { readonly commandId: string }, payload: Buffer): Promise<Answer>
  /** What is still to be answered and has not expired. */
  open(box: Box): Promise<readonly OpenCommand[]>
}

const COMMAND = 'command.dsse.json'
const ANSWER = 'answer.dsse.json'

export function createCommandFiles(
  stateDirectory: string,
  {
    deviceKeys,
    logger,
    now,
  }: { readonly deviceKeys: DeviceKeys; readonly logger: Logger; readonly now: () => number },
): CommandFiles {
  const folderOf = ({ site, device }: Box): string => join(stateDirectory, 'commands', site, device)

  return {
    async keep(box, commandId, envelope) {
      await replaceFile(join(folderOf(box), commandId, COMMAND), envelope)
    },

    async takeAnswer({ site, device, commandId }, payload) {
      if (payload.length > MAX_ANSWER_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `an answer has ${payload.length} bytes`)
      }
      const sender = { deviceId: device, deviceKeys: await deviceKeys(device) }
      const answer = verifyAnswer(payload, sender)
      if (answer.site !== site || answer.commandId !== commandId) {
        throw new RoadveilError('ERR_ANSWER_INVALID', 'an answer came under a topic that it is not about')
      }
      const folder = join(folderOf({ site, device }), commandId)
      const command = await readIfThere(join(folder, COMMAND))
      if (!command || sha256Hex(command) !== answer.commandSha256) {
        // What somebody else sent, or forged: the box's answer to that is not this city's business.
        throw new RoadveilError('ERR_ANSWER_INVALID', 'an answer came to a command that was not issued here')
      }
      const before = await readIfThere(join(folder, ANSWER))
      if (before && verifyAnswer(before, sender).outcome === 'done') return answer
      await replaceFile(join(folder, ANSWER), payload)
      logger.info('a command was answered', { site, device, commandId, status: answer.outcome })
      return answer
    },

    async open(box) {
      const folder = folderOf(box)
      await makeFolder(folder)
      const found: OpenCommand[] = []
      for (const commandId of (await readdir(folder)).filter(isUuid)) {
        const envelope = await readIfThere(join(folder, commandId, COMMAND))
        if (!envelope || (await readIfThere(join(folder, commandId, ANSWER)))) continue
        const leftMs = Date.parse(peekCommand(envelope).expiresAt) - now()
        if (leftMs > 0) found.push({ commandId, envelope, validSeconds: Math.ceil(leftMs / 1000) })
      }
      return found
    },
  }
}
