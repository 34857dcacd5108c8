import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { z } from 'zod'
import { ERRORS, isRoadveilError, RoadveilError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import { answerSchemas, replySchema, requestSchema } from './control-messages.ts'
import type { ControlAnswers, ControlReply, ControlRequest } from './control-messages.ts'
import { dialSocket, listenOnSocket } from './socket.ts'

/** vault's control socket, for the CLI: one JSON line asked, one JSON line answered, and the connection is over. */

const MAX_REQUEST_BYTES = 64 * 1024
const MAX_REPLY_BYTES = 16 * 1024 * 1024
const TIMEOUT_MS = 10_000
const NEWLINE = 0x0a

/** Where vault listens for the CLI. */
export function controlSocketOf(runtimeDirectory: string): string {
  return join(runtimeDirectory, 'control.sock')
}

/**
 * Asks the running vault.
 *
 * @param timeoutMs how long vault may take; ten seconds where nothing is said.
 * @throws ERR_VAULT_UNREACHABLE if none answers in time, ERR_CONTROL_REQUEST if it answers something else
 * than it should, and the code that vault answers with when it cannot do what was asked.
 */
export async function askVault<T extends ControlRequest>(
  runtimeDirectory: string,
  request: T,
  timeoutMs = TIMEOUT_MS,
): Promise<ControlAnswers[T['verb']]> {
  const line = await exchange(controlSocketOf(runtimeDirectory), JSON.stringify(request), timeoutMs)
  const reply = parseLine(line, replySchema)
  if (!reply.ok) {
    throw new RoadveilError(
      Object.hasOwn(ERRORS, reply.code) ? (reply.code as ErrorCode) : 'ERR_CONTROL_REQUEST',
      reply.message,
    )
  }
  const answer = answerSchemas[request.verb].safeParse(reply.answer)
  if (!answer.success) throw new RoadveilError('ERR_CONTROL_REQUEST', 'vault answered in an unknown form')
  return answer.data as ControlAnswers[T['verb']]
}

/** Answers one request. An error thrown is answered with its code. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlAnswers[ControlRequest['verb']]>

/**
 * Listens on the control socket until it is disposed.
 *
 * @throws ERR_CHANNEL_BUSY if another vault does already, ERR_RUNTIME_DIRECTORY
 */
export async function listenForControl(options: {
  readonly runtimeDirectory: string
  readonly handler: ControlHandler
  readonly logger: Logger
}): Promise<AsyncDisposable> {
  const open = new Set<Socket>()
  const server = await listenOnSocket(controlSocketOf(options.runtimeDirectory), (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => open.delete(socket))
    void serve(socket, options)
  })
  return {
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      for (const socket of open) socket.destroy()
      await closed
    },
  }
}

async function serve(
  socket: Socket,
  { handler, logger }: { readonly handler: ControlHandler; readonly logger: Logger },
): Promise<void> {
  let reply: ControlReply
  try {
    const request = parseLine(
      await readLine(socket, MAX_REQUEST_BYTES, AbortSignal.timeout(TIMEOUT_MS)),
      requestSchema,
    )
    reply = { ok: true, answer: await handler(request) }
  } catch (error) {
    if (!isRoadveilError(error)) logger.error('a request on the control socket failed', { error })
    reply = isRoadveilError(error)
      ? { ok: false, code: error.code, message: error.message }
      : { ok: false, code: 'ERR_INTERNAL', message: 'vault could not answer; its log says why' }
  }
  socket.end(`${JSON.stringify(reply)}\n`)
}

async function exchange(path: string, request: string, timeoutMs: number): Promise<Buffer> {
  const signal = AbortSignal.timeout(timeoutMs)
  let socket: Socket | undefined
  try {
    socket = await dialSocket(path, signal)
    socket.on('error', () => undefined)
    socket.write(`${request}\n`)
    return await readLine(socket, MAX_REPLY_BYTES, signal)
  } catch (error) {
    throw new RoadveilError('ERR_VAULT_UNREACHABLE', `no vault answers on ${path}`, { cause: error })
  } finally {
    socket?.destroy()
  }
}

/** Reads until the first newline. Rejects if the stream ends first, brings more than `most` bytes or takes too long. */
async function readLine(socket: Socket, most: number, signal: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  const line = Promise.withResolvers<Buffer>()
  const fail = (why: string): void =>
    line.reject(new RoadveilError('ERR_CONTROL_REQUEST', `no line on the control socket: ${why}`))
  socket.on('data', (chunk) => {
    const end = chunk.indexOf(NEWLINE)
    const part = end < 0 ? chunk : chunk.subarray(0, end)
    chunks.push(part)
    size += part.byteLength
    if (size > most) fail(`more than ${most} bytes`)
    else if (end >= 0) line.resolve(Buffer.concat(chunks))
  })
  socket.on('close', () => fail('the connection ended'))
  signal.addEventListener('abort', () => fail('it took too long'))
  return line.promise.finally(() => socket.pause().removeAllListeners('data'))
}

function parseLine<T extends z.ZodType>(line: Buffer, schema: T): z.output<T> {
  let value: unknown
  try {
    value = JSON.parse(line.toString())
  } catch {
    throw new RoadveilError('ERR_CONTROL_REQUEST', 'a line on the control socket is not JSON')
  }
  const result = schema.safeParse(value)
  if (!result.success) {
    throw new RoadveilError('ERR_CONTROL_REQUEST', 'a line on the control socket has an unknown form')
  }
  return result.data
}
