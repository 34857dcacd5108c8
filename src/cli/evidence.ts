import { userInfo } from 'node:os'
import { InvalidArgumentError, type Command } from 'commander'
import type { ControlAnswers, ControlRequest, EvidenceRow } from '../channel/control-messages.ts'
import { readConfig } from './config.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { sizeText, tableLines, timeText } from './table.ts'

interface ListOptions {
  readonly config: string
  readonly json?: true
}
interface HoldOptions extends ListOptions {
  readonly reason: string
  readonly case?: string
}

/** `roadveil evidence list|hold|release`: what the box still keeps, and the legal holds on it. */
export function addEvidence(program: Command, output: Output): void {
  const evidence = program
    .command('evidence')
    .summary('list evidence, or put a legal hold on it')
    .helpCommand(false)
    .description(
      'The sealed evidence that the box still has. Nobody can look into it here: only the city can open it.',
    )
  evidence
    .command('list')
    .summary('list what waits for a receipt or is on hold')
    .description('Lists the evidence that waits for a receipt of the city, or that a legal hold keeps.')
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil evidence list')
    .action(async ({ config, json }: ListOptions) => {
      const answer = await ask(config, { verb: 'evidence-list' })
      if (json) output.json(answer)
      else for (const line of evidenceLines(answer.evidence)) output.answer(line)
    })
  evidence
    .command('hold')
    .argument('<id>', 'id of the evidence', evidenceId)
    .summary('keep evidence although it is delivered')
    .description(
      'Puts a legal hold on evidence: it stays until the hold is released. Name and reason are recorded.',
    )
    .requiredOption('-r, --reason <words>', 'why, for the audit log', words(500))
    .option('--case <number>', 'case number, for the audit log', words(100))
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  roadveil evidence hold ${EXAMPLE_ID} --reason "court order"`)
    .action(async (id: string, { config, json, reason, case: caseNumber }: HoldOptions) => {
      const request = { verb: 'evidence-hold', evidenceId: id, reason, by: person() } as const
      const answer = await ask(config, caseNumber === undefined ? request : { ...request, caseNumber })
      if (json) output.json({ ...answer, held: true })
      else output.answer(`${answer.evidenceId} is on hold`)
    })
  evidence
    .command('release')
    .argument('<id>', 'id of the evidence', evidenceId)
    .summary('end a legal hold')
    .description(
      'Ends a legal hold: if the city has the evidence, it is deleted within a minute. Name and reason are recorded.',
    )
    .requiredOption('-r, --reason <words>', 'why, for the audit log', words(500))
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  roadveil evidence release ${EXAMPLE_ID} --reason "case closed"`)
    .action(async (id: string, { config, json, reason }: HoldOptions) => {
      const answer = await ask(config, {
        verb: 'evidence-release',
        evidenceId: id,
        reason,
        by: person(),
      })
      if (json) output.json({ ...answer, held: false })
      else output.answer(`${answer.evidenceId} is no longer on hold`)
    })
}

async function ask<T extends ControlRequest>(
  configFile: string,
  request: T,
): Promise<ControlAnswers[T['verb']]> {
  const { runtimeDirectory } = await readConfig(configFile, 'cli')
  const { askVault } = await import('../channel/control.ts')
  return askVault(runtimeDirectory, request)
}

const EXAMPLE_ID = '0f8fad5b-d9cb-469f-a165-70867728950e'

/** The list for people. */
function evidenceLines(rows: readonly EvidenceRow[]): string[] {
  if (rows.length === 0) return ['no evidence: everything is delivered, and nothing is on hold']
  const header = ['EVIDENCE', 'CAMERA', 'JUDGED', 'SIZE', 'STATE']
  return tableLines(
    header,
    rows.map(({ evidenceId, camera, judgedAt, bytes, ...standing }) => [
      evidenceId,
      camera,
      timeText(judgedAt),
      sizeText(bytes),
      stateText(standing),
    ]),
  )
}

function stateText({
  state,
  attempts,
  code,
  hold,
}: Omit<EvidenceRow, 'evidenceId' | 'camera' | 'judgedAt' | 'bytes'>): string {
  const tries = attempts > 0 ? `, ${attempts} ${attempts === 1 ? 'try' : 'tries'}` : ''
  return `${state}${tries}${code ? ` (${code})` : ''}${hold ? ', on hold' : ''}`
}

function evidenceId(text: string): string {
  const id = text.toLowerCase()
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
    throw new InvalidArgumentError('It is not an evidence id; see `roadveil evidence list`.')
  }
  return id
}

/** A text as vault takes it: something, and at most so many characters. */
function words(most: number): (text: string) => string {
  return (text) => {
    const said = text.trim()
    if (said === '') throw new InvalidArgumentError('It must say something.')
    if (said.length > most) throw new InvalidArgumentError(`It may have at most ${most} characters.`)
    return said
  }
}

/** Who acts: with sudo, the person behind it. */
function person(): string {
  const { SUDO_USER: sudoUser } = process.env
  return sudoUser ?? userInfo().username
}
