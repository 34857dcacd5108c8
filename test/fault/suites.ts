import type { FaultSuite } from './suite.ts'
import { bitRot } from './suites/bit-rot.ts'
import { clock } from './suites/clock.ts'
import { diskFull } from './suites/disk-full.ts'
import { brokerLies } from './suites/broker-lies.ts'
import { refused } from './suites/refused.ts'
import { outage } from './suites/outage.ts'
import { leaks } from './suites/leaks.ts'
import { fuzz } from './suites/fuzz.ts'
import { ioErrors } from './suites/io-errors.ts'
import { kill } from './suites/kill.ts'
import { powerCut } from './suites/power-cut.ts'
import { receivers } from './suites/receivers.ts'

/** Every kind of fault, in the order of the table. */
export const SUITES: readonly FaultSuite[] = [
  kill,
  powerCut,
  diskFull,
  ioErrors,
  outage,
  brokerLies,
  refused,
  clock,
  bitRot,
  receivers,
  fuzz,
  leaks,
]
