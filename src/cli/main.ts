#!/usr/bin/env node
import { createOutput, reportError } from './output.ts'
import { runProgram } from './program.ts'

const output = createOutput()
const fail = (error: unknown): never => process.exit(reportError(output, error))
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

process.exitCode = await runProgram(process.argv.slice(2), output)
