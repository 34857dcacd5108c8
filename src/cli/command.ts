import { type Command, InvalidArgumentError, Option } from 'commander'
import { RoadveilError } from '../errors.ts'
import { createLogger } from '../log.ts'
import type { Order } from '../receiver/commander.ts'
import type { Box } from '../receiver/commands.ts'
import type { Answer } from '../sealing/answer.ts'
import { evidenceId, EXAMPLE_ID, person, slug, timeSpan, words } from './arguments.ts'
import { jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { stopSignals } from './signals.ts'

interface CommandOptions {
  readonly config: string
  readonly json?: true
  readonly reason: string
  readonly timeout: number
  readonly validDays: number
}
interface CriteriaOptions {
  readonly camera?: string
  readonly rule?: string
  readonly timeSpan?: [string, string]
}
type Person = Pick<CommandOptions, 'reason'>

const EXAMPLE_BOX = 'main-street/box-1'

/** `roadveil command hold|release|erase|resend|rotate-key`: the city tells a box over the broker what to do, and prints its answer. */
export function addCommand(program: Command, output: Output): void {
  const command = program
    .command('command')
    .summary("the city's side: tell a box what to do")
    .helpCommand(false)
    .description(
      'Signs a command of the city, sends it to a box, waits for the signed answer and prints it. A box that is away gets it from the ' +
        'running receiver when it is back. The same rules hold as for people at the box; who, why and what are in its audit log.',
    )
  addHold(command, output)
  addRelease(command, output)
  addErase(command, output)
  addResend(command, output)
  addVerb(command, 'rotate-key')
    .summary('have the box put a new signing key in the place of the old one')
    .description(
      'The old key endorses the new one, and the receiver accepts it by that. The box goes on working meanwhile.',
    )
    .addHelpText('after', `\nExample:\n  roadveil command rotate-key ${EXAMPLE_BOX} --reason "yearly change"`)
    .action(async (box: Box, options: CommandOptions) => {
      await send(box, { kind: 'rotate-key', ...who(options) }, options, output)
    })
}

function addHold(command: Command, output: Output): void {
  const hold = addVerb(command, 'hold', true)
  criteria(hold)
    .summary('keep evidence although it is delivered')
    .description(
      'Puts the legal hold of a case on evidence by its ids, or on everything that fits all of --camera, --rule and --time-span, also ' +
        'what is stored later.',
    )
    .requiredOption('--case <number>', 'case number, to release by', words(100))
    .addHelpText(
      'after',
      `\nExample:\n  roadveil command hold ${EXAMPLE_BOX} ${EXAMPLE_ID} \\\n    --case 7/26 --reason "court order"`,
    )
    .action(
      async (
        box: Box,
        ids: string[],
        options: CommandOptions & CriteriaOptions & { readonly case: string },
      ) => {
        const subject = subjectOf(ids, options)
        await send(box, { kind: 'hold', caseNumber: options.case, subject, ...who(options) }, options, output)
      },
    )
}

function addRelease(command: Command, output: Output): void {
  addVerb(command, 'release', true)
    .summary('end legal holds')
    .description('Ends the legal hold on evidence by its ids, or without ids all holds of a case.')
    .option('--case <number>', 'the case whose hold ends', words(100))
    .addHelpText(
      'after',
      `\nExample:\n  roadveil command release ${EXAMPLE_BOX} --case 7/26 --reason "case closed"`,
    )
    .action(async (box: Box, ids: string[], options: CommandOptions & { readonly case?: string }) => {
      const { case: caseNumber } = options
      if (ids.length === 0 && caseNumber === undefined) {
        throw new RoadveilError('ERR_USAGE', 'an evidence id or --case is needed')
      }
      const subject = {
        ...(ids.length > 0 && { evidenceIds: ids }),
        ...(caseNumber !== undefined && { caseNumber }),
      }
      await send(box, { kind: 'release', ...subject, ...who(options) }, options, output)
    })
}

function addErase(command: Command, output: Output): void {
  addVerb(command, 'erase')
    .summary("erase what may be erased, for a person's request")
    .description(
      'Erases evidence that the city has and no legal hold keeps, and tombstones, and says how much stays and why. Leaves a purge ' +
        'certificate.',
    )
    .option('--evidence <id>', 'one evidence', evidenceId)
    .option('--time-span <from/to>', 'what was judged from the first moment on, before the second', timeSpan)
    .option('--camera <id>', 'of the time span, what this camera saw', slug)
    .addHelpText(
      'after',
      `\nExample:\n  roadveil command erase ${EXAMPLE_BOX} \\\n    --evidence ${EXAMPLE_ID} --reason "request 12/26"`,
    )
    .action(
      async (box: Box, options: CommandOptions & Omit<CriteriaOptions, 'rule'> & { evidence?: string }) => {
        const { evidence, timeSpan: span, camera } = options
        if ((evidence === undefined) === (span === undefined)) {
          throw new RoadveilError('ERR_USAGE', 'one of --evidence and --time-span is needed')
        }
        if (span === undefined && camera !== undefined) {
          throw new RoadveilError('ERR_USAGE', '--camera goes with --time-span')
        }
        const subject = span
          ? { criteria: { timeSpan: span, ...(camera !== undefined && { camera }) } }
          : { evidenceIds: [evidence ?? ''] }
        await send(box, { kind: 'erase', subject, ...who(options) }, options, output)
      },
    )
}

function addResend(command: Command, output: Output): void {
  criteria(addVerb(command, 'resend', true))
    .summary('have evidence sent again, before all other')
    .description(
      'Evidence that the box still holds goes to the head of its outbox and is sent; of the rest it says that it has it no longer.',
    )
    .addHelpText(
      'after',
      `\nExample:\n  roadveil command resend ${EXAMPLE_BOX} \\\n    ${EXAMPLE_ID} --reason "disk lost"`,
    )
    .action(async (box: Box, ids: string[], options: CommandOptions & CriteriaOptions) => {
      await send(box, { kind: 'resend', subject: subjectOf(ids, options), ...who(options) }, options, output)
    })
}

/** What all kinds take. */
function addVerb(command: Command, name: string, takesIds = false): Command {
  const verb = command
    .command(name)
    .argument('<site/device>', 'the box', boxName)
    .requiredOption('-r, --reason <words>', 'why, for the audit log', words(500))
    .addOption(new Option('-c, --config <file>', "the receiver's config").default('receiver.yaml'))
    .option('--timeout <seconds>', 'how long to wait for the answer', wholeNumber(1, 86_400), 30)
    .option('--valid-days <days>', 'how long the box may take it, at most 30', wholeNumber(1, 30), 7)
    .addOption(jsonOption())
  return takesIds ? verb.argument('[ids...]', 'ids of evidence, at most 200', eachEvidenceId) : verb
}

function criteria(command: Command): Command {
  return command
    .option('--camera <id>', 'what this camera saw', slug)
    .option('--rule <id>', 'what broke this rule', slug)
    .option('--time-span <from/to>', 'what was judged from the first moment on, before the second', timeSpan)
}

function subjectOf(ids: string[], { camera, rule, timeSpan: span }: CriteriaOptions) {
  const named = { ...(camera && { camera }), ...(rule && { rule }), ...(span && { timeSpan: span }) }
  const isNamed = Object.keys(named).length > 0
  if (ids.length > 0 === isNamed) {
    throw new RoadveilError(
      'ERR_USAGE',
      'evidence ids are needed, or some of --camera, --rule and --time-span',
    )
  }
  return isNamed ? { criteria: named } : { evidenceIds: ids }
}

function who({ reason }: Person) {
  return { by: person(), reason }
}

async function send(box: Box, order: Order, options: CommandOptions, output: Output): Promise<void> {
  const { config: file, timeout, validDays, json } = options
  using signals = stopSignals()
  const { loadReceiverConfig } = await import('../receiver/config.ts')
  const { sendCommand } = await import('../receiver/commander.ts')
  const config = await loadReceiverConfig(file)
  const { commandId, answer, unkept } = await sendCommand(
    config,
    { box, order, validDays, timeoutMs: timeout * 1000 },
    {
      logger: createLogger({ process: 'cli', level: 'error' }),
      now: Date.now,
      env: process.env,
      signal: signals.signal,
    },
  )
  if (unkept) {
    output.note(`roadveil: the answer was not kept: ${unkept.message} [${unkept.code}]`)
    output.note(`roadveil: hint: ${unkept.hint}`)
  }
  if (json) output.json({ ...answer, commandId })
  else if (answer.outcome === 'done') for (const line of answerLines(box, answer)) output.answer(line)
  if (answer.outcome === 'done') return
  throw new RoadveilError('ERR_COMMAND_REFUSED', `${box.device} refused command ${commandId}: ${answer.code}`)
}

/** In which words each count is told. */
const COUNTED: Readonly<Record<string, string>> = {
  held: 'on hold',
  already: 'on hold for this case already',
  gone: 'confirmed and deleted before',
  unknown: 'unknown to the box',
  released: 'released',
  queued: 'sent again first',
  evidence: 'evidence erased',
  tombstones: 'tombstones erased',
  unconfirmed: 'kept: the city has not confirmed yet that it stored it',
  recent: 'kept: its tombstone keeps it from being stored twice, for an hour',
}

function answerLines({ device }: Box, answer: Extract<Answer, { outcome: 'done' }>): string[] {
  const { kind, changed, gone = [], rotated, answeredAt } = answer
  return [
    `${device} has done ${kind} at ${answeredAt}`,
    ...(rotated ? [`the signing key ${rotated.keyId} has taken the place of ${rotated.previousKeyId}`] : []),
    ...Object.entries(changed).map(([word, count]) => `${count} ${textOf(kind, word)}`),
    ...gone.map((id) => `no longer there: ${id}`),
  ]
}

function textOf(kind: string, word: string): string {
  if (kind === 'erase' && word === 'held') return 'kept: a legal hold is on it'
  return COUNTED[word] ?? word
}

function boxName(text: string): Box {
  const [site = '', device = '', ...more] = text.split('/')
  if (more.length > 0) throw new InvalidArgumentError('It must be SITE/DEVICE.')
  return { site: slug(site), device: slug(device) }
}

function eachEvidenceId(text: string, before: string[] = []): string[] {
  return [...before, evidenceId(text)]
}

function wholeNumber(least: number, most: number): (text: string) => number {
  return (text) => {
    const number = Number(text)
    if (Number.isInteger(number) && number >= least && number <= most) return number
    throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`)
  }
}
