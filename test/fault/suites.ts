import type { FaultSuite } from './suite.ts'
import { fuzz } from './suites/fuzz.ts'
import { ioErrors } from './suites/io-errors.ts'
import { kill } from './suites/kill.ts'
import { powerCut } from './suites/power-cut.ts'

/** Every kind of fault, in the order of the table. */
export const SUITES: readonly FaultSuite[] = [fuzz, kill, powerCut, ioErrors]
