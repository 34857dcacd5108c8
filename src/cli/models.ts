import type { Command } from 'commander'
import { RoadveilError } from '../errors.ts'
import { jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText, sizeText, tableLines } from './table.ts'

interface ModelsOptions {
  readonly json?: true
}

/** `roadveil models list|pull`: the release's networks, and public ones that they are measured against. */
export function addModels(program: Command, output: Output): void {
  const models = program
    .command('models')
    .summary('list the networks, or fetch public ones to compare with')
    .helpCommand(false)
    .description('The networks that find vehicles, people, faces and plates. They come with the release.')
  models
    .command('list')
    .summary('say which networks are there, and whether they are the right ones')
    .description(
      'Lists the networks of the release and checks their SHA-256. Exit 1 when one is missing or wrong.',
    )
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil models list')
    .action(async ({ json }: ModelsOptions) => list(output, json))
  models
    .command('pull')
    .summary('download public networks to compare with')
    .description(
      'Downloads the public networks that ours are measured against into FOLDER, checked by SHA-256. The daemon does not use them.',
    )
    .argument('<FOLDER>', 'where they go; what is there and right is not fetched again')
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil models pull .models')
    .action(async (folder: string, { json }: ModelsOptions) => pull(output, folder, json))
}

async function list(output: Output, json?: true): Promise<void> {
  const { loadModelSource } = await import('../models/source.ts')
  const { modelStates } = await import('../models/states.ts')
  const source = await loadModelSource()
  const { directory } = source
  const states = await modelStates(source)
  if (json) output.json({ directory, models: states })
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

async function pull(output: Output, directory: string, json?: true): Promise<void> {
  const { loadPublicModels } = await import('../models/source.ts')
  const { manifest } = await loadPublicModels(directory)
  const { pullModels } = await import('../models/pull.ts')
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
