import type { EpochMs } from '../domain/frame.ts'
import type { Rule } from '../domain/rule.ts'

/** What a rule is worth at a time: `live` from `effectiveFrom` on, before that it only warns. */
export function modeAt(rule: Pick<Rule, 'mode' | 'effectiveFrom'>, at: EpochMs): 'warning' | 'live' {
  return rule.mode === 'live' && rule.effectiveFrom !== undefined && at >= rule.effectiveFrom
    ? 'live'
    : 'warning'
}
