import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'

const MODULE = join(import.meta.dirname, '..', '..', 'src', 'cli', 'core-dumps.ts')

/** What a process that was allowed to dump core says about itself. */
function limitsOf(program: string): string {
  const node = [process.execPath, '--input-type=module', '-e', program]
  return execFileSync('sh', ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', ...node]).toString()
}

await t.test('a process that sees pixels or keys dumps no core, and nothing that it starts', async (t) => {
  const show = `import { execFileSync } from 'node:child_process'; process.stdout.write(execFileSync('cat', ['/proc/self/limits']))`
  t.match(limitsOf(show), /^Max core file size +unlimited/m)
  const forbid = `const { forbidCoreDumps } = await import(${JSON.stringify(MODULE)}); forbidCoreDumps(); `
  t.match(limitsOf(forbid + show), /^Max core file size +0 +0/m)
})
