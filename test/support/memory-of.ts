import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const PIECE_BYTES = 2 ** 22

/** Which of these secrets stand in the memory of a running process, by their names: what root on the machine can read of it. */
export function secretsInMemory(pid: number, secrets: Readonly<Record<string, Buffer>>): readonly string[] {
  const overlap = Math.max(...Object.values(secrets).map(({ length }) => length))
  const found = new Set<string>()
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const [, from = '0', to = '0'] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      for (let at = BigInt(`0x${from}`); at < BigInt(`0x${to}`); at += BigInt(PIECE_BYTES - overlap)) {
        const bytes = Buffer.alloc(Math.min(PIECE_BYTES, Number(BigInt(`0x${to}`) - at)))
        const read = readAt(memory, bytes, at)
        for (const [name, secret] of Object.entries(secrets))
          if (bytes.subarray(0, read).includes(secret)) found.add(name)
      }
    }
  } finally {
    closeSync(memory)
  }
  return [...found]
}

/** What is mapped but cannot be read is left out. */
function readAt(memory: number, bytes: Buffer, at: bigint): number {
  try {
    return readSync(memory, bytes, 0, bytes.length, at)
  } catch {
    return 0
  }
}
