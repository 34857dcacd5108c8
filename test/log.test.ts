import { spawnSync } from 'node:child_process'
import t from 'tap'
import { RoadveilError } from '../src/errors.ts'
import { createLogger, type LogFields } from '../src/log.ts'

function capture(level: 'debug' | 'info' = 'debug') {
  const lines: string[] = []
  const logger = createLogger({ process: 'vault', level, destination: { write: (line) => lines.push(line) } })
  const last = (): Record<string, unknown> => JSON.parse(lines.at(-1) ?? '{}') as Record<string, unknown>
  return { lines, logger, last }
}

await t.test('a line is JSON with level, time, process and the fields of the allow-list', async (t) => {
  const { logger, last } = capture()
  logger.info('camera started', { camera: 'north', port: 8554, pid: 12 })
  const { time, ...rest } = last()
  t.match(time, /^\d{4}-\d\d-\d\dT.*Z$/)
  t.strictSame(rest, {
    level: 'info',
    process: 'vault',
    message: 'camera started',
    camera: 'north',
    port: 8554,
    pid: 12,
  })
})

await t.test('fields that are not in the list, or are of another type, are dropped', async (t) => {
  const { logger, lines, last } = capture()
  const fields = {
    plateText: 'AB123CD',
    password: 'hunter2',
    camera: { url: 'x' },
    count: '7',
    bytes: NaN,
    __proto__: { x: 1 },
    toString: 'x',
  }
  logger.warn('odd', fields as unknown as LogFields)
  t.notMatch(lines.join(''), /AB123CD|hunter2/)
  t.strictSame(Object.keys(last()).sort(), ['level', 'message', 'process', 'time'])
})

await t.test('credentials in URLs are taken out of message, fields and errors', async (t) => {
  const { logger, lines } = capture()
  const url = 'rtsp://admin:s3/cr@et@10.0.0.2/stream'
  logger.error(`cannot open ${url}`, {
    host: url,
    error: new RoadveilError('ERR_CAMERA_GARBAGE', `from ${url}`),
  })
  t.notMatch(lines.join(''), /admin|s3|cr@et/)
  t.match(lines.join(''), 'rtsp://***@10.0.0.2/stream')
})

await t.test(
  'an error of ours is written as code, reason and hint; of a foreign one only the name',
  async (t) => {
    const { logger, lines, last } = capture()
    logger.error('stopped', { error: new RoadveilError('ERR_CAMERA_STALLED', 'no frame for 20 s') })
    t.match(last(), { code: 'ERR_CAMERA_STALLED', reason: 'no frame for 20 s', hint: /network/ })
    logger.error('stopped', { error: new TypeError('plate AB123CD is not a function') })
    t.match(last(), { code: 'ERR_INTERNAL', name: /^TypeError/ })
    t.notMatch(lines.join(''), /AB123CD|stack/)
    logger.error('stopped', { error: 'AB123CD' })
    t.match(last(), { code: 'ERR_INTERNAL', name: 'string' })
    t.notMatch(lines.join(''), /AB123CD/)
  },
)

await t.test('texts stay on one line and have a length limit', async (t) => {
  const { logger, lines, last } = capture()
  logger.info('a\nb\u001b[31m', { reason: 'y'.repeat(3000), code: 'z'.repeat(5000) })
  t.equal(lines.length, 1)
  t.equal(last()['message'], 'a b [31m')
  t.equal((last()['reason'] as string).length, 400)
  t.equal(last()['code'], '[text too long]')
})

await t.test('lines below the level are not written', async (t) => {
  const { logger, lines } = capture('info')
  logger.debug('quiet')
  logger.info('heard')
  t.equal(lines.length, 1)
})

await t.test('a process logs to stderr and loses nothing when it exits at once', async (t) => {
  const code = `import { createLogger } from ${JSON.stringify(new URL('../src/log.ts', import.meta.url).href)}
    createLogger({ process: 'cli', level: 'info' }).info('last words', { exitCode: 3 })
    process.exit(3)`
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' })
  t.equal(result.status, 3)
  t.equal(result.stdout, '')
  t.match(JSON.parse(result.stderr), { process: 'cli', message: 'last words', exitCode: 3 })
})
