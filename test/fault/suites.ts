import type { FaultSuite } from './suite.ts'
import { brokerLies } from './suites/broker-lies.ts'
import { refused } from './suites/refused.ts'
import { outage } from './suites/outage.ts'
import { leaks } from './suites/leaks.ts'
import { fuzz } from './suites/fuzz.ts'

/** Every kind of fault, in the order of the table. */
export const SUITES: readonly FaultSuite[] = [fuzz, outage, brokerLies, refused, leaks]
