import { once } from 'node:events'
import { chmod, lstat, mkdir, stat, unlink } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { dirname } from 'node:path'
import { getuid } from 'node:process'
import { RoadveilError } from '../errors.ts'

/**
 * Unix sockets in the runtime directory: only the user that runs Roadveil can reach them. Where vision has a user of its own, the
 * directory is one that its group may enter (mode 0710), and of the sockets in it vision's is the group's as well.
 */

/** Linux: sun_path of sockaddr_un holds 108 bytes with the closing zero, see unix(7). */
const MAX_PATH_BYTES = 107

/** Who may connect: the user that runs vault, or also the group where the directory lets it in. */
export type SocketReach = 'user' | 'group'

/**
 * Listens on a Unix socket of mode 0600 in a directory of mode 0700, which is made if it is missing; of mode 0660 where the directory
 * has mode 0710 and the socket is the group's. A socket file that a dead process left behind is replaced.
 *
 * @throws ERR_CHANNEL_BUSY if another process answers on it, ERR_RUNTIME_DIRECTORY if others may enter the directory,
 * it cannot be used or the path is too long.
 */
export async function listenOnSocket(
  path: string,
  onSocket: (socket: Socket) => void,
  reach: SocketReach = 'user',
): Promise<Server> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) {
    throw new RoadveilError('ERR_RUNTIME_DIRECTORY', `${path} is longer than ${MAX_PATH_BYTES} bytes`)
  }
  const isShared = await openDirectory(dirname(path))
  await removeStale(path)
  const server = createServer(onSocket)
  try {
    server.listen(path)
    await once(server, 'listening')
  } catch (error) {
    if (hasErrno(error, 'EADDRINUSE')) throw busy(path)
    throw new RoadveilError('ERR_RUNTIME_DIRECTORY', `cannot listen on ${path}`, { cause: error })
  }
  await chmod(path, isShared && reach === 'group' ? 0o660 : 0o600)
  return server
}

/** Connects to a Unix socket; rejects with the system's error, or with the signal's reason. */
export async function dialSocket(path: string, signal: AbortSignal): Promise<Socket> {
  const socket = connect(path)
  try {
    await once(socket, 'connect', { signal })
    return socket
  } catch (error) {
    socket.destroy()
    throw error
  }
}

/** True for a system error with this name, such as ECONNREFUSED. */
function hasErrno(error: unknown, errno: string): boolean {
  return error instanceof Error && 'code' in error && error.code === errno
}

/** True when the group may enter it. */
async function openDirectory(directory: string): Promise<boolean> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const { mode, uid } = await stat(directory)
    const others = mode & 0o077
    if ((others === 0 || others === 0o010) && uid === getuid?.()) return others !== 0
  } catch (error) {
    throw new RoadveilError('ERR_RUNTIME_DIRECTORY', `cannot use ${directory}`, { cause: error })
  }
  throw new RoadveilError('ERR_RUNTIME_DIRECTORY', `other users may enter ${directory}`)
}

async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined)
  if (!found) return
  if (!found.isSocket()) throw new RoadveilError('ERR_RUNTIME_DIRECTORY', `${path} is not a socket`)
  try {
    const socket = await dialSocket(path, AbortSignal.timeout(2_000))
    socket.destroy()
  } catch (error) {
    if (hasErrno(error, 'ECONNREFUSED')) await unlink(path)
    else if (!hasErrno(error, 'ENOENT')) throw busy(path)
    return
  }
  throw busy(path)
}

function busy(path: string): RoadveilError {
  return new RoadveilError('ERR_CHANNEL_BUSY', `another process answers on ${path}`)
}
