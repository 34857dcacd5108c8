import { type Command, Option } from 'commander'
import { RoadveilError } from '../errors.ts'
import { createLogger } from '../log.ts'
import type { SelftestFigures, Tally } from '../vision/selftest/figures.ts'
import { jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { stopSignals } from './signals.ts'
import { tableLines } from './table.ts'

interface SelftestOptions {
  readonly config?: string
  readonly json?: true
}

/** So many leaks are shown; the rest is counted. */
const SHOWN_LEAKS = 20

/** `roadveil selftest`: the built-in clip through the installed networks and rules, against what is truly in it. */
export function addSelftest(program: Command, output: Output): void {
  program
    .command('selftest')
    .summary('run the built-in clip through the networks and rules and say how they did')
    .description(
      'Runs the built-in street scene through the installed networks and rules and says what was found, hidden, missed and ' +
        'leaked against its ground truth. Takes about half a minute. Exit 1 when it falls below what this release reached. ' +
        'It needs no config; with one, plates are read as that config says, whatever else is still missing in it.',
    )
    .addOption(new Option('-c, --config <file>', 'a config, for its plates.minConfidence'))
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil selftest')
    .action(async ({ config, json }: SelftestOptions) => selftest(output, config, json))
}

async function selftest(output: Output, configFile: string | undefined, json?: true): Promise<void> {
  const { loadPlates } = await import('../config/load.ts')
  const { minConfidence } = await loadPlates(configFile)
  const { loadModelSource } = await import('../models/source.ts')
  const { openEvidenceNetworks } = await import('../vision/evidence-networks.ts')
  const { runSelftest } = await import('../vision/selftest/run.ts')
  const { shortfalls } = await import('../vision/selftest/figures.ts')
  using signals = stopSignals()
  const models = await loadModelSource()
  const networks = await openEvidenceNetworks(models)
  const logger = createLogger({ process: 'cli', level: 'warn' })
  const figures = await runSelftest({ models, networks, minConfidence, logger }, signals.signal)
  const short = shortfalls(figures)
  if (json) output.json({ passed: short.length === 0, shortfalls: short, ...figures })
  else for (const line of report(figures)) output.answer(line)
  if (short.length > 0) throw new RoadveilError('ERR_SELFTEST_FAILED', short.join('; '))
}

function report(figures: SelftestFigures): string[] {
  const tally = ({ right, all }: Tally): string => `${right} of ${all}`
  const rows = [
    ['violations judged', String(figures.violations), figures.rightVehicle ? 'the right vehicle' : 'WRONG'],
    [
      "offender's plate",
      figures.plateRead ? 'read' : 'NOT READ',
      `readable in ${tally(figures.offenderPlate)} frames`,
    ],
    ['vehicles', tally(figures.vehicles), 'found'],
    ['persons', tally(figures.persons), 'found'],
    ['faces', tally(figures.faces), 'hidden'],
    ["bystanders' plates", tally(figures.plates), 'hidden'],
    ['picture', `${(100 * figures.hiddenArea).toFixed(1)} %`, 'hidden on average'],
  ]
  const leaks = figures.leaks
    .slice(0, SHOWN_LEAKS)
    .map(
      ({ id, seconds, heightPx }) =>
        `leaked: ${id} at ${seconds.toFixed(1)} s, ${heightPx.toFixed(0)} pixels high`,
    )
  const more = figures.leaks.length - leaks.length
  return [...tableLines(['WHAT', 'COUNT', ''], rows), ...leaks, ...(more > 0 ? [`leaked: ${more} more`] : [])]
}
