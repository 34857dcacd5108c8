import type { FaultSuite } from './suite.ts'
import { bitRot } from './suites/bit-rot.ts'
import { clock } from './suites/clock.ts'
import { diskFull } from './suites/disk-full.ts'
import { fuzz } from './suites/fuzz.ts'
import { receivers } from './suites/receivers.ts'

/** Every kind of fault, in the order of the table. */
export const SUITES: readonly FaultSuite[] = [fuzz, receivers, diskFull, bitRot, clock]
