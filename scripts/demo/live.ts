import type { VaultStatus } from '../../src/channel/control-messages.ts'

/** One line that says what happens now, for a person who watches. */
export function liveLine(status: VaultStatus): string {
  const [camera] = status.cameras
  const { counts, store, delivery } = status
  const why = camera?.state === 'down' && camera.code ? ` (${camera.code})` : ''
  const seen = camera ? `${camera.state}${why} ${camera.fps.toFixed(1)} fps` : 'starting'
  const dropped = camera && camera.dropped > 0 ? ` (${camera.dropped} dropped)` : ''
  return [
    `camera ${seen}${dropped}`,
    `tracks ${counts?.tracks ?? 0}`,
    `violations ${counts?.violations ?? 0}`,
    ...(status.selftest === 'running' ? ['self-test of the networks runs'] : []),
    `redacted ${counts?.built ?? 0}`,
    ...(counts?.discarded ? [`discarded ${counts.discarded}`] : []),
    `in outbox ${store.outbox}`,
    `confirmed by the city ${delivery.delivered}`,
  ].join(' · ')
}

/** Shows lines on a terminal in place, elsewhere only when they change, so that a log stays readable. */
export function createLiveDisplay(stream: NodeJS.WriteStream): { show(line: string): void; leave(): void } {
  let last = ''
  return {
    show(line) {
      if (stream.isTTY) stream.write(`\r\x1b[2K${line.slice(0, stream.columns - 1)}`)
      else if (line !== last) stream.write(`${line}\n`)
      last = line
    },
    leave() {
      if (stream.isTTY && last !== '') stream.write('\n')
      last = ''
    },
  }
}
