import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import { MAX_CHECKPOINT_BYTES } from '../protocol/limits.ts'
import type { AuditReport } from '../vault/audit.ts'
import { readConfig } from './config.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText } from './table.ts'

/** A log of years on a small box. */
const TIMEOUT_MS = 120_000

interface VerifyOptions {
  readonly config: string
  readonly checkpoint?: string
  readonly json?: true
}

/** `roadveil audit verify`: whether the audit log is what was written. */
export function addAudit(program: Command, output: Output): void {
  const audit = program
    .command('audit')
    .summary('check the audit log')
    .helpCommand(false)
    .description('The audit log records what was kept, delivered, held and deleted, and when.')
  audit
    .command('verify')
    .summary('find edits, cuts and forks of the audit log')
    .description(
      'Checks that every row follows from the one before and that the log goes through every checkpoint that was ' +
        'signed. Asks the running box, or opens its database if none runs. Ends with 1 and says where if it does not fit.',
    )
    .option('--checkpoint <file>', 'compare with a checkpoint that the city has witnessed')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil audit verify --checkpoint latest.dsse.json')
    .action(async ({ config: file, checkpoint, json }: VerifyOptions) => {
      const config = await readConfig(file, 'cli')
      const witnessed = checkpoint === undefined ? undefined : readCheckpoint(checkpoint)
      const report = await askOrOpen(config, witnessed)
      const { faults } = report
      if (json) output.json({ ok: faults.length === 0, ...report })
      else for (const { message, kind } of faults) output.answer(`${kind}: ${message}`)
      if (faults.length > 0) {
        throw new RoadveilError('ERR_AUDIT_BROKEN', `the audit log has ${countText(faults.length, 'fault')}`)
      }
      if (!json) output.answer(summary(report, witnessed !== undefined))
    })
}

function summary(
  { rows, firstSequence, lastSequence, checkpoints, lost }: AuditReport,
  isWitnessed: boolean,
): string {
  const from = rows === 0 ? '' : ` (${firstSequence} to ${lastSequence})`
  const city = isWitnessed ? ", the city's included" : ''
  const state = lost === 0 ? 'whole' : `whole but for ${countText(lost, 'row')} lost to damage, as it says`
  return `the audit log is ${state}: ${countText(rows, 'row')}${from}, ${countText(checkpoints, 'checkpoint')}${city}`
}

function readCheckpoint(file: string): Buffer {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new RoadveilError('ERR_CHECKPOINT_INVALID', `cannot read ${file}`, { cause })
  }
  if (bytes.length <= MAX_CHECKPOINT_BYTES) return bytes
  throw new RoadveilError('ERR_CHECKPOINT_INVALID', `${file} has ${bytes.length} bytes`)
}

/** The running vault has its database for itself; without one, the database is opened here. */
async function askOrOpen(config: Config, witnessed: Buffer | undefined): Promise<AuditReport> {
  const { askVault } = await import('../channel/control.ts')
  const request = { verb: 'audit-verify' } as const
  try {
    const checkpoint = witnessed?.toString('base64')
    return await askVault(
      config.runtimeDirectory,
      checkpoint === undefined ? request : { ...request, checkpoint },
      TIMEOUT_MS,
    )
  } catch (error) {
    // Opening a database that is not there would make one.
    if (!isRoadveilError(error, 'ERR_VAULT_UNREACHABLE') || !existsSync(config.store.file)) throw error
    return open(config, witnessed)
  }
}

async function open(config: Config, witnessed: Buffer | undefined): Promise<AuditReport> {
  const { openAudit } = await import('../store/open.ts')
  const { loadStoreKeys, openWith, wipe } = await import('../vault/keys.ts')
  const { reportAudit } = await import('../vault/audit.ts')
  const keys = loadStoreKeys(config, process.env)
  const { file, maxSizeMiB } = config.store
  using store = openWith(keys, (key) => openAudit({ file, key, maxSizeMiB })).opened
  wipe(keys)
  const checked = { store, deviceId: config.device.id, signers: keys.signers }
  return await reportAudit(checked, { witnessed, signal: new AbortController().signal })
}
