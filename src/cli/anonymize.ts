import { type Command, Option } from 'commander'
import type { Outcome } from '../anonymize/anonymize.ts'
import { RoadveilError } from '../errors.ts'
import type { Style } from '../privacy/redact.ts'
import { visible } from '../scrub.ts'
import { showProgress } from './anonymize-progress.ts'
import { forbidCoreDumps } from './core-dumps.ts'
import { jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { stopSignals } from './signals.ts'
import { countText } from './table.ts'

interface AnonymizeOptions {
  readonly out: string
  readonly report?: string
  readonly keepPlateOf?: string
  readonly style: Style
  readonly previewRegions?: true
  readonly maskOccupants: boolean
  readonly quiet?: true
  readonly json?: true
}

/** `roadveil anonymize`: hides faces and plates in pictures and videos, with what redacts evidence. */
export function addAnonymize(program: Command, output: Output): void {
  program
    .command('anonymize')
    .summary('hide the faces and plates of pictures and videos')
    .description(
      'Writes JPEG, PNG and WebP pictures and videos (as MP4) into DIR with every face and plate hidden, checked once more, ' +
        'and without sound and metadata. Folders keep their structure. Run again, it does only what is new, changed or failed. ' +
        'Exit 1 when an input failed; nothing is written for that one.',
    )
    .argument('<input...>', 'pictures, videos and folders')
    .requiredOption('--out <dir>', 'where the results go; what was not made here is never overwritten')
    .option('--report <file>', 'write what was hidden in every picture and frame, and why, as JSON')
    .option(
      '--keep-plate-of <box|text>',
      'leave one plate: x,y,width,height of its vehicle in pixels, or its text',
    )
    .addOption(
      new Option('--style <style>', 'how hidden places look')
        .choices(['solid', 'pixelate', 'blur'])
        .default('solid'),
    )
    .option('--preview-regions', 'draw outlines with class and reason over the redacted pictures')
    .option('--no-mask-occupants', 'leave windscreens in which no face was found')
    .option('--quiet', 'no progress')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  roadveil anonymize photos clip.mp4 --out public --report report.json',
    )
    .action(async (inputs: string[], options: AnonymizeOptions) => anonymizeFiles(output, inputs, options))
}

async function anonymizeFiles(
  output: Output,
  inputs: readonly string[],
  options: AnonymizeOptions,
): Promise<void> {
  forbidCoreDumps()
  const { anonymize } = await import('../anonymize/anonymize.ts')
  const { parseKeptVehicle } = await import('../anonymize/options.ts')
  const { keepPlateOf, style, maskOccupants, report } = options
  const keptVehicle = keepPlateOf === undefined ? {} : { keptVehicle: parseKeptVehicle(keepPlateOf) }
  const { loadModelSource } = await import('../models/source.ts')
  const { openEvidenceNetworks } = await import('../vision/evidence-networks.ts')
  using signals = stopSignals()
  const models = await loadModelSource()
  const outcome = await runBatch()
  if (options.json) output.json(answerOf(outcome))
  else for (const line of summary(outcome)) output.answer(line)
  if (outcome.failures.length === 0) return
  // With progress each was told when it happened, and with --json it is in the answer.
  const untold = options.quiet && !options.json ? outcome.failures : []
  const failed = untold.map(({ input, error }) => visible(`${input}: ${error.message} [${error.code}]`))
  throw new RoadveilError(
    'ERR_ANONYMIZE_FAILED',
    [`${countText(outcome.failures.length, 'input')} failed`, ...failed].join('\n'),
  )

  async function runBatch(): Promise<Outcome> {
    using progress = showProgress(options.quiet || options.json ? undefined : process.stderr)
    return await anonymize(
      {
        ...{ inputs, out: options.out, ...(report === undefined ? {} : { report }) },
        networks: await openEvidenceNetworks(models),
        models: models.manifest.models.map(({ role, file, sha256 }) => ({ role, file, sha256 })),
        options: { style, maskOccupants, preview: options.previewRegions ?? false, ...keptVehicle },
      },
      progress,
      signals.signal,
    )
  }
}

function answerOf({ failures, ...counts }: Outcome): unknown {
  return {
    ...counts,
    failures: failures.map(({ input, error }) => ({ input, code: error.code, message: error.message })),
  }
}

function summary({ anonymized, unchanged, leftOut, frames, keptPlates }: Outcome): string[] {
  const kept = keptPlates > 0 ? `, a plate left readable in ${keptPlates}` : ''
  return [
    `${anonymized} anonymized, ${unchanged} done before: ${countText(frames, 'frame')}${kept}`,
    ...(leftOut > 0 ? [`${countText(leftOut, 'other file')} left out (--report FILE names them)`] : []),
  ]
}
