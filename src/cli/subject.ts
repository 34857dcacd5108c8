import { type Command, Option } from 'commander'
import type { ControlAnswers } from '../channel/control-messages.ts'
import { RoadveilError } from '../errors.ts'
import { evidenceId, EXAMPLE_ID, person, slug, timeSpan } from './arguments.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { countText } from './table.ts'
import { askRunning } from './vault.ts'

interface SubjectOptions {
  readonly config: string
  readonly evidence?: string
  readonly timeSpan?: [string, string]
  readonly camera?: string
  readonly json?: true
}

type Erasure = ControlAnswers['subject-erase']

const BECAUSE = {
  held: 'a legal hold is on it',
  unconfirmed: 'the city has not confirmed yet that it stored it',
  recent: 'its tombstone keeps it from being stored twice, for an hour',
} as const satisfies Record<Erasure['kept'][number]['because'], string>

/** `roadveil subject export|erase`: requests of people about what the box holds about them. */
export function addSubject(program: Command, output: Output): void {
  const subject = program
    .command('subject')
    .summary('answer people who ask what is held about them')
    .helpCommand(false)
    .description('Requests of people about what the box holds about them. Each is recorded in the audit log.')
  scoped(subject.command('export'))
    .summary('a copy of what is held, as JSON')
    .description(
      'Prints what the box holds as JSON: where and when, why, where it went and when it ends. Sealed evidence can only be opened ' +
        'by the city.',
    )
    .addOption(new Option('--json', 'the same: the answer is JSON in any case'))
    .addHelpText('after', `\nExample:\n  roadveil subject export --evidence ${EXAMPLE_ID} > copy.json`)
    .action(async (options: SubjectOptions) => {
      const request = { verb: 'subject-export', by: person(), ...scopeOf(options) } as const
      output.json(await askRunning(options.config, request))
    })
  scoped(subject.command('erase'))
    .summary('erase what may be erased, and say what may not')
    .description(
      'Erases evidence that the city has and no legal hold keeps, and tombstones. Says what stays, and why. Leaves a purge certificate.',
    )
    .addOption(jsonOption())
    .addHelpText('after', `\nExample:\n  roadveil subject erase --evidence ${EXAMPLE_ID}`)
    .action(async (options: SubjectOptions) => {
      const request = { verb: 'subject-erase', by: person(), ...scopeOf(options) } as const
      const answer = await askRunning(options.config, request)
      if (options.json) output.json(answer)
      else for (const line of erasureLines(answer)) output.answer(line)
    })
}

function scoped(command: Command): Command {
  return command
    .option('--evidence <id>', 'one evidence', evidenceId)
    .option('--time-span <from/to>', 'what was judged from the first moment on, before the second', timeSpan)
    .option('--camera <id>', 'of the time span, what this camera saw', slug)
    .addOption(configOption())
}

function scopeOf({ evidence, timeSpan, camera }: SubjectOptions) {
  if ((evidence === undefined) === (timeSpan === undefined)) {
    throw new RoadveilError('ERR_USAGE', 'one of --evidence and --time-span is needed')
  }
  if (timeSpan === undefined && camera !== undefined) {
    throw new RoadveilError('ERR_USAGE', '--camera goes with --time-span')
  }
  return {
    ...(evidence !== undefined && { evidenceId: evidence }),
    ...(timeSpan !== undefined && { timeSpan }),
    ...(camera !== undefined && { camera }),
  }
}

function erasureLines({ evidence, tombstones, kept, auditRows }: Erasure): string[] {
  return [
    `erased: ${evidence.length} evidence, ${countText(tombstones.length, 'tombstone')}`,
    ...kept.map(({ evidenceId: id, because }) => `kept: ${id}: ${BECAUSE[because]}`),
    ...(auditRows === 0
      ? []
      : [`kept: ${countText(auditRows, 'row')} of the audit log: they prove what was done`]),
  ]
}
