import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { until } from './until.ts'

/** What systemd gives a service: a socket for datagrams, and who reads it. Node.js has no such sockets; Python has. */
export interface NotifySocket extends AsyncDisposable {
  readonly path: string
  /** The lines of all messages so far. */
  readonly said: readonly string[]
}

const SCRIPT = `
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('bound', flush=True)
while True:
    data, ancillary, _, _ = s.recvmsg(4096, 4096)
    print(data.decode(), flush=True)
    # BARRIER=1 comes with a descriptor, and whoever sent it waits until that is closed.
    for _, _, rights in ancillary:
        for fd in array.array('i', rights):
            os.close(fd)
`

export async function listenAsSystemd(path: string): Promise<NotifySocket> {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '/usr/bin/python3', '-c', SCRIPT, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const gone = once(child, 'exit')
  const said: string[] = []
  createInterface(child.stdout).on('line', (line) => said.push(line))
  await until('somebody listens', () => said.includes('bound'))
  return {
    path,
    said,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
