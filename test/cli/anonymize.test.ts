import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import sharp from 'sharp'
import t from 'tap'
import type { Progress } from '../../src/anonymize/batch.ts'
import { showProgress } from '../../src/cli/anonymize-progress.ts'
import { roadveil, startRoadveil } from './roadveil.ts'

const folder = t.testdir({ in: {} })
const red = { create: { width: 64, height: 48, channels: 3, background: 'red' } } as const
await sharp(red).jpeg().toFile(join(folder, 'in/good.jpg'))

await t.test('a batch with a failure answers what was done, says what failed, and ends with 1', async (t) => {
  writeFileSync(join(folder, 'in/bad.png'), 'no picture')
  const args = ['anonymize', 'in', '--out', 'out', '--report', 'report.json']
  const { code, stdout, stderr } = await roadveil(args, folder)
  t.equal(code, 1)
  t.equal(stdout, '1 anonymized, 0 done before: 1 frame\n')
  t.match(
    stderr,
    /^in\/bad.png: .* \[ERR_INPUT_UNREADABLE\]\n.*\nroadveil: error: 1 input failed \[ERR_ANONYMIZE_FAILED\]\nroadveil: hint: /m,
  )
  t.equal(stderr.split('in/bad.png: ').length, 2, 'what failed is said once')
  t.match(JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')), {
    schema: 'roadveil.anonymize-report.v1',
    inputs: [
      { input: 'in/bad.png', result: 'failed', code: 'ERR_INPUT_UNREADABLE' },
      { input: 'in/good.jpg', result: 'anonymized' },
    ],
  })

  const again = await roadveil(['anonymize', 'in/good.jpg', '--out', 'out', '--json'], folder)
  t.match(again, { code: 0, stderr: '' }, 'and --json says nothing else')
  t.match(JSON.parse(again.stdout), { anonymized: 0, unchanged: 1, failures: [] })
  const quiet = await roadveil(['anonymize', 'in/good.jpg', '--out', 'new', '--quiet'], folder)
  t.match(quiet, { code: 0, stderr: '' })
  const failed = await roadveil(['anonymize', 'in/bad.png', '--out', 'new', '--quiet'], folder)
  t.match(
    failed.stderr,
    /\[ERR_ANONYMIZE_FAILED\]\n {2}in\/bad.png: .* \[ERR_INPUT_UNREADABLE\]\nroadveil: hint/,
  )
})

await t.test('a name steers no terminal and passes for no line of ours, and is exact in JSON', async (t) => {
  const name = 'odd/\u001b[2J\u009b2J\nroadveil: hint: all is well\u202e.png'
  mkdirSync(join(folder, 'odd'))
  writeFileSync(join(folder, name), 'no picture')
  const shown = await roadveil(['anonymize', 'odd', '--out', 'out'], folder)
  t.match(shown.stderr, 'odd/\\u001b[2J\\u009b2J\\nroadveil: hint: all is well\\u202e.png: ')
  const quiet = await roadveil(['anonymize', 'odd', '--out', 'out', '--quiet'], folder)
  const json = await roadveil(['anonymize', 'odd', '--out', 'out', '--json'], folder)
  for (const { stdout, stderr } of [shown, quiet, json]) {
    // eslint-disable-next-line no-control-regex -- control characters are what this is about
    t.notMatch(stdout + stderr, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]|\nroadveil: hint: all/)
  }
  t.match(JSON.parse(json.stdout), { failures: [{ input: name }] })
  const other = await roadveil(['check', '--config', 'a\u001b[2J\nroadveil: hint: all is well'], folder)
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  t.notMatch(other.stderr, /\u001b|\nroadveil: hint: all/, 'other verbs, too')
})

await t.test('wrong usage ends with 2', async (t) => {
  const cases: readonly (readonly [string[], RegExp])[] = [
    [['in'], /required option '--out <dir>'/],
    [['--out', 'x'], /missing required argument 'input'/],
    [['in', '--out', 'x', '--style', 'fog'], /--style.*Allowed choices are solid, pixelate, blur/],
    [['in', '--out', 'x', '--keep-plate-of', '1,2,3'], /--keep-plate-of must be/],
    [['in', '--out', 'x', '--keep-plate-of', '1,2,30,40'], /for one picture or video/],
  ]
  for (const [args, message] of cases) {
    const { code, stderr } = await roadveil(['anonymize', ...args], folder)
    t.equal(code, 2, args.join(' '))
    t.match(stderr, message)
  }
})

await t.test('SIGINT stops it, says how to go on, and leaves nothing half done', async (t) => {
  mkdirSync(join(folder, 'many'))
  for (let i = 0; i < 200; i++)
    await sharp(red)
      .jpeg()
      .toFile(join(folder, `many/${i}.jpg`))
  const child = startRoadveil(['anonymize', 'many', '--out', 'stopped'], { cwd: folder })
  child.stderr?.once('data', () => child.kill('SIGINT'))
  const { code, stderr } = await child.ended
  t.equal(code, 1)
  t.match(stderr, /\[ERR_ANONYMIZE_STOPPED\]\nroadveil: hint: .*run the same command again/)
})

const CLEAR_LINE = '\r\x1b[2K'
const screenOf = (isTTY: boolean) => {
  const written: string[] = []
  return { written, screen: { isTTY, columns: 80, write: (text: string) => written.push(text) } }
}
const at = (frames: number, number = 1): Progress => ({
  ...{ input: 'a/long/way/to/a/video/that/has/a/name/as/long/as/this.mp4', kind: 'video', number, count: 2 },
  stills: { done: 0, all: 0 },
  frames: { done: frames, all: 100 },
})

await t.test(
  'a terminal gets a bar with rate and time left that fits its width and goes at the end',
  async (t) => {
    const { written, screen } = screenOf(true)
    let now = 0
    {
      using progress = showProgress(screen, () => now)
      progress.onProgress(at(0))
      now = 5_000
      progress.onProgress(at(50))
    }
    const lines = written.map((text) => text.replace(CLEAR_LINE, ''))
    t.equal(lines.length, 3)
    t.ok(written.every((text) => text.startsWith(CLEAR_LINE)))
    t.match(lines[1], /^\[#{12}\.{12}\] {2}50 % {2}10\.0 frames\/s {2}0:05 left {2}1\/2 {2}….*this\.mp4$/)
    t.ok(lines.every((line) => line.length < 80))
    t.equal(lines[2], '')
  },
)

await t.test('without a terminal there is a plain line now and then', async (t) => {
  const { written, screen } = screenOf(false)
  let now = 0
  using progress = showProgress(screen, () => now)
  for (; now <= 20_000; now += 1_000) progress.onProgress(at(now / 1_000))
  t.equal(written.length, 3)
  t.ok(written.every((text) => /^\[.*\n$/.test(text)))
})
