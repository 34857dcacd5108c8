import { Command, CommanderError } from 'commander'
import { RoadveilError } from '../errors.ts'
import { VERSION } from '../version.ts'
import { addAnonymize } from './anonymize.ts'
import { addAudit } from './audit.ts'
import { addCheck } from './check.ts'
import { addCommand } from './command.ts'
import { addVault, addVision } from './daemons.ts'
import { addDoctor } from './doctor.ts'
import { addEvidence } from './evidence.ts'
import { addInit } from './init.ts'
import { addKey } from './key.ts'
import { addModels } from './models.ts'
import { reportError, type Output } from './output.ts'
import { addPurge } from './purge.ts'
import { addReceive } from './receive.ts'
import { addRun } from './run.ts'
import { addSelftest } from './selftest.ts'
import { addStatus } from './status.ts'
import { addSubject } from './subject.ts'

/** Runs the command line and gives the exit code: 0 ok, 1 failed, 2 usage, 3 bad config, 4 daemon not reachable. */
export async function runProgram(args: readonly string[], output: Output): Promise<number> {
  const program = createProgram(output)
  try {
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(output, error)
    if (error.exitCode === 0) return 0
    const message = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
    const usage = error.code === 'commander.help' ? 'a verb is missing' : message
    return reportError(output, new RoadveilError('ERR_USAGE', usage))
  }
}

function createProgram(output: Output): Command {
  const program = new Command('roadveil')
    .description(
      'Keeps sealed evidence of traffic violations, and nothing else. Answers on stdout, the rest on stderr.',
    )
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand(false)
    .configureHelp({ helpWidth: 96, showGlobalOptions: false })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        for (const line of text.trimEnd().split('\n')) output.answer(line)
      },
      // Errors are reported in one place; without a verb, the help goes with them.
      writeErr: () => undefined,
    })
    .addHelpText(
      'after',
      '\nExit codes: 0 ok, 1 failed, 2 usage, 3 bad config, 4 daemon not reachable.\n' +
        'Example:\n  roadveil init box && roadveil check --config box/roadveil.yaml',
    )
  addInit(program, output)
  addCheck(program, output)
  addDoctor(program, output)
  addModels(program, output)
  addSelftest(program, output)
  addAnonymize(program, output)
  addRun(program, output)
  addStatus(program, output)
  addEvidence(program, output)
  addAudit(program, output)
  addPurge(program, output)
  addSubject(program, output)
  addKey(program, output)
  addVision(program)
  addVault(program)
  addReceive(program, output)
  addCommand(program, output)
  return program
}
