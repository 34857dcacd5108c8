import type { Command } from 'commander'
import type { HoldRow } from '../channel/control-messages.ts'
import { RoadveilError } from '../errors.ts'
import { evidenceId, EXAMPLE_ID, person, slug, timeSpan, words } from './arguments.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText, tableLines, timeText } from './table.ts'
import { askRunning } from './vault.ts'

interface ReleaseOptions {
  readonly config: string
  readonly json?: true
  readonly reason: string
  readonly case?: string
}
interface HoldOptions extends ReleaseOptions {
  readonly camera?: string
  readonly rule?: string
  readonly timeSpan?: [string, string]
}

/** `roadveil evidence hold|release|holds`: legal holds on one evidence, or by case on what fits criteria. */
export function addHolds(evidence: Command, output: Output): void {
  evidence
    .command('hold')
    .argument('[id]', 'id of the evidence', evidenceId)
    .summary('keep evidence although it is delivered')
    .description(
      'Puts a legal hold on one evidence, or for a case on everything that fits all of --camera, --rule and --time-span, also ' +
        'what is stored later: it stays until the hold is released. Name and reason are recorded.',
    )
    .requiredOption('-r, --reason <words>', 'why, for the audit log', words(500))
    .option('--case <number>', 'case number, for the audit log and to release by', words(100))
    .option('--camera <id>', 'what this camera saw', slug)
    .option('--rule <id>', 'what broke this rule', slug)
    .option('--time-span <from/to>', 'what was judged from the first moment on, before the second', timeSpan)
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `\nExample:\n  roadveil evidence hold ${EXAMPLE_ID} --reason "court order"\n` +
        '  roadveil evidence hold --case 7/26 --reason "court order" --camera north \\\n' +
        '    --time-span 2026-03-01T08:00Z/2026-03-01T09:00Z',
    )
    .action(async (id: string | undefined, options: HoldOptions) => {
      if (id === undefined) await holdCase(options, output)
      else await holdOne(id, options, output)
    })
  evidence
    .command('release')
    .argument('[id]', 'id of the evidence', evidenceId)
    .summary('end a legal hold')
    .description(
      'Ends the legal hold on one evidence, or without an id all holds of a case: what the city has and nothing else holds is ' +
        'deleted within a minute. Name and reason are recorded.',
    )
    .requiredOption('-r, --reason <words>', 'why, for the audit log', words(500))
    .option('--case <number>', 'the case whose hold ends', words(100))
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  roadveil evidence release ${EXAMPLE_ID} --reason "case closed"`)
    .action(async (id: string | undefined, options: ReleaseOptions) => {
      if (id === undefined) await releaseCase(options, output)
      else await releaseOne(id, options, output)
    })
  evidence
    .command('holds')
    .summary('list the legal holds in force')
    .description('Lists every legal hold: what it is on, for which case, who placed it, when and why.')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil evidence holds')
    .action(async ({ config, json }: Pick<ReleaseOptions, 'config' | 'json'>) => {
      const answer = await askRunning(config, { verb: 'holds-list' })
      if (json) output.json(answer)
      else for (const line of holdLines(answer.holds)) output.answer(line)
    })
}

async function holdOne(id: string, options: HoldOptions, output: Output): Promise<void> {
  const { config, json, reason, case: caseNumber } = options
  if (options.camera ?? options.rule ?? options.timeSpan) {
    throw new RoadveilError('ERR_USAGE', 'a hold is on one evidence or on criteria, not both')
  }
  const request = { verb: 'evidence-hold', evidenceId: id, reason, by: person() } as const
  const answer = await askRunning(config, { ...request, ...(caseNumber !== undefined && { caseNumber }) })
  if (json) output.json({ ...answer, held: true })
  else output.answer(`${answer.evidenceId} is on hold`)
}

async function holdCase(options: HoldOptions, output: Output): Promise<void> {
  const { config, json, reason, case: caseNumber, camera, rule, timeSpan } = options
  const criteria = { ...(camera && { camera }), ...(rule && { rule }), ...(timeSpan && { timeSpan }) }
  if (caseNumber === undefined || Object.keys(criteria).length === 0) {
    throw new RoadveilError(
      'ERR_USAGE',
      'without an evidence id, --case and one of --camera, --rule and --time-span are needed',
    )
  }
  const request = { verb: 'case-hold', caseNumber, reason, by: person(), criteria } as const
  const answer = await askRunning(config, request)
  if (json) output.json({ ...answer, held: true })
  else output.answer(`on hold for case ${caseNumber}: ${answer.evidence} evidence now, and what fits later`)
}

async function releaseOne(id: string, options: ReleaseOptions, output: Output): Promise<void> {
  const { config, json, reason, case: caseNumber } = options
  const request = { verb: 'evidence-release', evidenceId: id, reason, by: person() } as const
  const answer = await askRunning(config, { ...request, ...(caseNumber !== undefined && { caseNumber }) })
  if (json) output.json({ ...answer, held: false })
  else output.answer(`the hold on ${answer.evidenceId} is released`)
}

async function releaseCase(options: ReleaseOptions, output: Output): Promise<void> {
  const { config, json, reason, case: caseNumber } = options
  if (caseNumber === undefined) {
    throw new RoadveilError('ERR_USAGE', 'an evidence id or --case is needed')
  }
  const answer = await askRunning(config, { verb: 'case-release', caseNumber, reason, by: person() })
  if (json) output.json({ ...answer, held: false })
  else output.answer(`released: ${countText(answer.holds, 'hold')} of case ${caseNumber}`)
}

/** The list for people. */
function holdLines(holds: readonly HoldRow[]): string[] {
  if (holds.length === 0) return ['no legal holds']
  return tableLines(
    ['CASE', 'PLACED', 'BY', 'ON', 'REASON'],
    holds.map((hold) => [
      hold.caseNumber ?? '-',
      timeText(hold.heldAt),
      hold.by,
      scopeText(hold),
      hold.reason,
    ]),
  )
}

function scopeText({ evidenceId: id, camera, rule, from, until }: HoldRow): string {
  if (id !== null) return id
  const parts = [camera && `camera ${camera}`, rule && `rule ${rule}`]
  if (from !== null || until !== null) parts.push(`${timeText(from)} to ${timeText(until)}`)
  return parts.filter(Boolean).join(', ')
}
