import { execFile } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'

const project = new URL('../..', import.meta.url)
const LOAD = `
  const { openSession } = await import('${new URL('src/detection/session.ts', project).href}')
  const { loadModelSource } = await import('${new URL('src/models/source.ts', project).href}')
  const { manifest, directory } = await loadModelSource()
  for (const entry of manifest.models) await openSession(entry, directory)
`

await t.test('loading the networks writes nothing and keeps no device id', async (t) => {
  const home = t.testdir()
  // Where it believes to be under test the runtime is quiet anyway.
  const unset = { CI: undefined, GITHUB_ACTIONS: undefined, XDG_CACHE_HOME: undefined }
  await promisify(execFile)(process.execPath, ['--input-type=module', '-e', LOAD], {
    env: { ...process.env, ...unset, ORT_DISABLE_TELEMETRY: undefined, HOME: home, TMPDIR: home },
  })
  t.same(readdirSync(home), [])
})
