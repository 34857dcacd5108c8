import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import t from 'tap'
import { referenceFiles } from '../../src/config/reference.ts'
import { ERRORS } from '../../src/errors.ts'
import { put, validConfig } from './site.ts'

const folder = join(import.meta.dirname, '..', '..', 'config')
const files = referenceFiles()

await t.test('the pages in config/ are those that the source gives', async (t) => {
  for (const [name, text] of Object.entries(files)) {
    t.equal(readFileSync(join(folder, name), 'utf8'), text, `${name}: run npm run config:generate`)
  }
})

await t.test('the published schema takes a valid config and refuses a wrong one', async (t) => {
  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  const validate = ajv.compile(JSON.parse(files['roadveil.schema.json'] ?? '') as object)
  const config = validConfig()
  t.ok(validate(config), JSON.stringify(validate.errors))
  put(config, 'cameras[0].rules[0].limitSeconds', 'ten')
  t.notOk(validate(config))
  ajv.compile(JSON.parse(files['evidence.schema.json'] ?? '') as object)
})

await t.test('every key has a meaning and every code its hint on the pages', async (t) => {
  const lines = (files['reference.md'] ?? '').split('\n').filter((line) => line.startsWith('| `'))
  t.ok(lines.length > 40)
  for (const line of lines) t.notMatch(line, /\| *\|$/, line)
  for (const [code, { hint }] of Object.entries(ERRORS)) {
    t.ok(
      files['errors.md']?.includes(`| \`${code}\` |`) && files['errors.md'].includes(hint.slice(0, 20)),
      code,
    )
  }
})
