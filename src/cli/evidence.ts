import type { Command } from 'commander'
import type { EvidenceRow } from '../channel/control-messages.ts'
import { addHolds } from './hold.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { sizeText, tableLines, timeText } from './table.ts'
import { askRunning } from './vault.ts'

interface ListOptions {
  readonly config: string
  readonly json?: true
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
      const answer = await askRunning(config, { verb: 'evidence-list' })
      if (json) output.json(answer)
      else for (const line of evidenceLines(answer.evidence)) output.answer(line)
    })
  addHolds(evidence, output)
}

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
  holds,
}: Omit<EvidenceRow, 'evidenceId' | 'camera' | 'judgedAt' | 'bytes'>): string {
  const tries = attempts > 0 ? `, ${attempts} ${attempts === 1 ? 'try' : 'tries'}` : ''
  return `${state}${tries}${code ? ` (${code})` : ''}${holds.length > 0 ? ', on hold' : ''}`
}
