import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ERRORS, isRoadveilError, RoadveilError } from '../src/errors.ts'
import { EXCHANGE_ERRORS } from '../src/errors/exchange.ts'
import { KEEPING_ERRORS } from '../src/errors/keeping.ts'
import { PICTURE_ERRORS } from '../src/errors/pictures.ts'

const src = join(import.meta.dirname, '..', 'src')
const sources = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.startsWith('errors'))
  .map((name) => readFileSync(join(src, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, ''))

await t.test('every registered code is used somewhere', async (t) => {
  for (const code of Object.keys(ERRORS)) {
    t.ok(
      sources.some((text) => text.includes(`'${code}'`)),
      code,
    )
  }
})

await t.test('no code stands in two parts of the registry', async (t) => {
  const parts = [PICTURE_ERRORS, EXCHANGE_ERRORS, KEEPING_ERRORS].flatMap((part) => Object.keys(part))
  t.strictSame([...new Set(parts)], parts)
  t.strictSame(Object.keys(ERRORS), parts)
})

await t.test('every hint is a sentence or two that says what to do', async (t) => {
  for (const [code, { hint }] of Object.entries(ERRORS)) {
    t.match(hint, /^[A-Za-z].{15,180}\.$/, code)
    t.notMatch(hint, /sorry|oops|invalid|please/i, code)
  }
})

await t.test('an error knows its hint, its exit code and that it is ours', async (t) => {
  const error = new RoadveilError('ERR_VAULT_UNREACHABLE', 'no vault answers')
  t.match(error, { code: 'ERR_VAULT_UNREACHABLE', exitCode: 4, hint: ERRORS.ERR_VAULT_UNREACHABLE.hint })
  t.equal(new RoadveilError('ERR_CAMERA_STALLED', 'x').exitCode, 1)
  t.ok(isRoadveilError(error) && isRoadveilError(error, 'ERR_VAULT_UNREACHABLE'))
  t.notOk(isRoadveilError(error, 'ERR_USAGE') || isRoadveilError(new Error('x')))
})
