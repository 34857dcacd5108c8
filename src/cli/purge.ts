import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { ControlAnswers } from '../channel/control-messages.ts'
import { RoadveilError } from '../errors.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { tableLines, timeText } from './table.ts'
import { askRunning } from './vault.ts'

type Rows = ControlAnswers['purge-certificates']['certificates']
type Row = Rows[number]

interface CertificatesOptions {
  readonly config: string
  readonly out?: string
  readonly json?: true
}

/** `roadveil purge certificates`: what the box deleted, signed. */
export function addPurge(program: Command, output: Output): void {
  const purge = program
    .command('purge')
    .summary('see what was deleted')
    .helpCommand(false)
    .description('What retention, receipts and subject requests have deleted.')
  purge
    .command('certificates')
    .summary('list or export the signed purge certificates')
    .description(
      'Each says what kinds were deleted, how many, from when to when, and under which policy. They name no evidence.',
    )
    .option('--out <dir>', 'write each, as it was signed, into a file of this folder that is not there yet')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil purge certificates --out certificates')
    .action(async ({ config, out, json }: CertificatesOptions) => {
      const rows = await readAll(config)
      if (json) output.json({ certificates: rows })
      else for (const line of certificateLines(rows)) output.answer(line)
      if (out !== undefined) exportTo(out, rows)
      const foreign = rows.filter(({ certificate }) => certificate === null)
      if (foreign.length === 0) return
      const numbers = foreign.map(({ number }) => number).join(', ')
      throw new RoadveilError('ERR_CERTIFICATE_INVALID', `not signed by this box: ${numbers}`)
    })
}

async function readAll(configFile: string): Promise<Rows> {
  const all: Row[] = []
  for (;;) {
    const after = all.at(-1)?.number ?? 0
    const { certificates } = await askRunning(configFile, { verb: 'purge-certificates', after })
    if (certificates.length === 0) return all
    all.push(...certificates)
  }
}

/** The list for people. */
function certificateLines(rows: Rows): string[] {
  if (rows.length === 0) return ['no purge certificates: nothing was deleted yet']
  return tableLines(
    ['NUMBER', 'ISSUED', 'OCCASION', 'DELETED'],
    rows.map(({ number, certificate }) => [
      number,
      timeText(certificate?.issuedAt ?? null),
      certificate?.occasion ?? 'not signed by this box',
      (certificate?.deletions ?? []).map(({ kind, count }) => `${count} ${kind}`).join(', '),
    ]),
  )
}

function exportTo(folder: string, rows: Rows): void {
  mkdirSync(folder, { recursive: true })
  for (const { number, envelope } of rows) {
    const file = join(folder, `purge-${String(number).padStart(6, '0')}.dsse.json`)
    if (!existsSync(file)) writeFileSync(file, Buffer.from(envelope, 'base64'), { flag: 'wx' })
  }
}
