import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { readFfmpegMessage } from '../../src/camera/ffmpeg-messages.ts'
import { cameraInput, concatScript, readCredentials } from '../../src/camera/input.ts'
import { isRoadveilError } from '../../src/errors.ts'
import { cameraConfig } from './cameras.ts'

async function credentials(text: string, mode = 0o600): Promise<string> {
  const file = join(t.testdir(), 'credentials')
  await writeFile(file, text)
  await chmod(file, mode)
  return file
}

await t.test('credentials are one line user:password in a private file', async (t) => {
  t.same(await readCredentials(await credentials('admin:pass:word with spaces\n')), {
    user: 'admin',
    password: 'pass:word with spaces',
  })
  for (const bad of [
    '',
    'admin',
    'admin:',
    ':secret',
    'admin:a\nb:c\n',
    'admin:a\0b',
    `admin:${'x'.repeat(2000)}`,
  ]) {
    await t.rejects(readCredentials(await credentials(bad)), { code: 'ERR_SECRET_FILE' }, JSON.stringify(bad))
  }
  for (const mode of [0o644, 0o640, 0o604, 0o660]) {
    await t.rejects(readCredentials(await credentials('admin:secret', mode)), { code: 'ERR_SECRET_FILE' })
  }
  await t.rejects(readCredentials('/nowhere/credentials'), { code: 'ERR_SECRET_FILE' })
})

await t.test('no error about credentials holds them', async (t) => {
  const error: unknown = await readCredentials(await credentials('topsecret-without-colon')).catch(
    (e: unknown) => e,
  )
  t.ok(isRoadveilError(error))
  t.notMatch(JSON.stringify([String(error), error]), 'topsecret')
})

await t.test('no password can break out of the script that ffmpeg reads', async (t) => {
  const script = concatScript("rtsp://10.0.0.5/it's?a=1", {
    user: "o'neill",
    password: "x'\\ @/:%40#\"file'",
  })
  const lines = script.split('\n')
  t.equal(lines.length, 6)
  t.match(lines[1], /^file 'rtsp:\/\/o%27neill:[A-Za-z0-9%._~-]+@10\.0\.0\.5\/it%27s\?a=1'$/)
})

await t.test('the credentials are in no argument', async (t) => {
  const input = await cameraInput(
    cameraConfig('rtsp://127.0.0.1/cam', { credentialsFile: await credentials('admin:secret123') }),
  )
  t.notMatch(input.args.join(' '), /admin|secret123|127\.0\.0\.1/)
  t.match(input.stdin, 'admin:secret123@')
})

await t.test("ffmpeg's messages become codes without a word of theirs", async (t) => {
  const cases: readonly (readonly [string, string])[] = [
    ['[rtsp @ 0x1] method DESCRIBE failed: 401 Unauthorized', 'ERR_CAMERA_UNAUTHORIZED'],
    ['rtsp://u:secret@h/: Connection refused', 'ERR_CAMERA_UNREACHABLE'],
    ['rtsp://u:secret@h/: Connection timed out', 'ERR_CAMERA_UNREACHABLE'],
    ['rtsp://u:secret@h/: Invalid data found when processing input', 'ERR_CAMERA_GARBAGE'],
    ['[rtsp @ 0x1] method DESCRIBE failed: 404 Not Found', 'ERR_CAMERA_UNREACHABLE'],
  ]
  for (const [line, code] of cases) {
    const message = readFfmpegMessage(line)
    if (message?.kind !== 'failure') throw new Error(line)
    t.equal(message.error.code, code)
    t.notMatch(message.error.message, /secret|rtsp/)
  }
  t.equal(readFfmpegMessage("Input #0, concat, from 'pipe:0':"), undefined)
})
