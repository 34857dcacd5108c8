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

/** Who answers what, as the topic says. */
type Answering = Box & { readonly commandId: string }

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
   * Checks an answer and keeps it, unless the command was not issued here.
   *
   * @throws what `readAnswer` and `keepAnswer` throw.
   */
  takeAnswer(from: Answering, payload: Buffer): Promise<Answer>
  /**
   * Checks an answer to a command.
   *
   * @param command its signed bytes; undefined where it was not issued here.
   * @throws what `verifyAnswer` and `deviceKeys` throw, ERR_MESSAGE, ERR_ANSWER_INVALID when it is about something else.
   */
  readAnswer(from: Answering, payload: Buffer, command: Uint8Array | undefined): Promise<Answer>
  /** Keeps an answer that was checked; a refusal never takes the place of what was done. Throws ERR_OUTPUT_FAILED. */
  keepAnswer(from: Answering, payload: Buffer, answer: Answer): Promise<void>
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

  const folderOfCommand = (from: Answering): string => join(folderOf(from), from.commandId)

  const files: CommandFiles = {
    async keep(box, commandId, envelope) {
      await replaceFile(join(folderOfCommand({ ...box, commandId }), COMMAND), envelope)
    },

    async takeAnswer(from, payload) {
      const command = await readIfThere(join(folderOfCommand(from), COMMAND))
      const answer = await files.readAnswer(from, payload, command)
      await files.keepAnswer(from, payload, answer)
      return answer
    },

    async readAnswer({ site, device, commandId }, payload, command) {
      if (payload.length > MAX_ANSWER_BYTES) {
        throw new RoadveilError('ERR_MESSAGE', `an answer has ${payload.length} bytes`)
      }
      const sender = { deviceId: device, deviceKeys: await deviceKeys(device) }
      const answer = verifyAnswer(payload, sender)
      if (answer.site !== site || answer.commandId !== commandId) {
        throw new RoadveilError('ERR_ANSWER_INVALID', 'an answer came under a topic that it is not about')
      }
      if (!command || sha256Hex(command) !== answer.commandSha256) {
        // What somebody else sent, or forged: the box's answer to that is not this city's business.
        throw new RoadveilError('ERR_ANSWER_INVALID', 'an answer came to a command that was not issued here')
      }
      return answer
    },

    async keepAnswer(from, payload, { outcome }) {
      const { site, device, commandId } = from
      const file = join(folderOfCommand(from), ANSWER)
      const before = await readIfThere(file).catch((cause: unknown) => {
        throw new RoadveilError('ERR_OUTPUT_FAILED', `cannot read ${file}`, { cause })
      })
      const sender = { deviceId: device, deviceKeys: await deviceKeys(device) }
      if (before && verifyAnswer(before, sender).outcome === 'done') return
      await replaceFile(file, payload)
      logger.info('a command was answered', { site, device, commandId, status: outcome })
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
  return files
}
