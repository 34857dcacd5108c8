#!/usr/bin/env node
import { versions } from 'node:process'

// Before anything is loaded that an older Node.js cannot even read.
if (Number.parseInt(versions.node) < 24) {
  process.stderr.write(
    `roadveil: error: Node.js ${versions.node} is too old\nroadveil: hint: Use Node.js 24 or newer.\n`,
  )
  process.exit(1)
}
const { createOutput, reportError } = await import('./output.ts')
const { runProgram } = await import('./program.ts')

const output = createOutput()
const fail = (error: unknown): never => process.exit(reportError(output, error))
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

process.exitCode = await runProgram(process.argv.slice(2), output)
