import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import { Option, type Command } from 'commander'
import type { ModelEntry, ModelSource } from '../detection/manifest.ts'
import { RoadveilError } from '../errors.ts'
import { readConfig } from './config.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText, sizeText, tableLines } from './table.ts'

interface ModelsOptions {
  readonly config: string
  readonly public?: true
  readonly json?: true
}

interface ModelState {
  readonly role: string
  readonly file: string
  readonly path: string | null
  readonly bytes: number
  readonly sha256: string
  readonly licence: string
  readonly state: 'ok' | 'missing' | 'wrong'
}

/** `roadveil models list|pull`: the networks that the release's manifest pins. */
export function addModels(program: Command, output: Output): void {
  const models = program
    .command('models')
    .summary('list or fetch the networks')
    .helpCommand(false)
    .description('The networks that find vehicles, people, faces and plates.')
  models
    .command('list')
    .summary('say which networks are there, and whether they are the right ones')
    .description(
      'Lists the networks of the manifest and checks their SHA-256. Exit 1 when one is missing or wrong.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil models list --config /etc/roadveil/roadveil.yaml')
    .action(async ({ config, json }: ModelsOptions) => list(output, config, json))
  models
    .command('pull')
    .summary('download the networks that are missing')
    .description("Downloads what is missing or wrong into the config's models.directory, checked by SHA-256.")
    .addOption(configOption())
    .addOption(new Option('--public', 'the public networks that ours are measured against instead'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil models pull --config /etc/roadveil/roadveil.yaml')
    .action(async (options: ModelsOptions) => pull(output, options))
}

async function list(output: Output, configFile: string, json?: true): Promise<void> {
  const { source } = await readSource(configFile)
  const { directories, manifest } = source
  const states = await Promise.all(manifest.models.map(async (entry) => stateOf(entry, directories)))
  if (json) output.json({ directories, models: states })
  else {
    const rows = states.map(({ role, file, bytes, state, licence }) => [
      role,
      file,
      sizeText(bytes),
      state,
      licence,
    ])
    for (const line of tableLines(['ROLE', 'FILE', 'SIZE', 'STATE', 'LICENCE'], rows)) output.answer(line)
  }
  const bad = states.filter(({ state }) => state !== 'ok')
  const wrong = bad.find(({ state }) => state === 'wrong')
  if (wrong) throw new RoadveilError('ERR_MODEL_HASH', `${wrong.file} is not the file in the manifest`)
  if (bad.length > 0)
    throw new RoadveilError('ERR_MODEL_MISSING', `${countText(bad.length, 'network')} missing`)
}

async function readSource(
  configFile: string,
): Promise<{ readonly directory: string; readonly source: ModelSource }> {
  const { directory } = (await readConfig(configFile, 'cli')).models
  const { loadModelSource } = await import('../detection/source.ts')
  return { directory, source: await loadModelSource(directory) }
}

async function stateOf(entry: ModelEntry, directories: readonly string[]): Promise<ModelState> {
  const { role, file, bytes, sha256, licence } = entry
  const { resolveModelFile } = await import('../detection/manifest.ts')
  const path = await resolveModelFile(entry, directories).catch(() => null)
  if (path === null) return { role, file, path, bytes, sha256, licence, state: 'missing' }
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return { role, file, path, bytes, sha256, licence, state: hash.digest('hex') === sha256 ? 'ok' : 'wrong' }
}

async function pull(output: Output, { config, json, ...options }: ModelsOptions): Promise<void> {
  const { directory, source } = await readSource(config)
  const { loadPublicModels } = await import('../detection/source.ts')
  const { manifest } = options.public ? await loadPublicModels(directory) : source
  const { pullModels } = await import('../detection/pull.ts')
  let last = ''
  const pulled = await pullModels(manifest, directory, {
    onProgress: ({ file, bytes: total }) => {
      if (last !== file) output.note(`fetching ${file} (${sizeText(total)})`)
      last = file
    },
  })
  if (json)
    output.json({
      models: pulled.map(({ entry, file, outcome }) => ({ role: entry.role, path: file, outcome })),
    })
  else for (const { file, outcome } of pulled) output.answer(`${outcome.padEnd(10)}  ${file}`)
}
