import type { AuditMark, Checkpoint } from '../domain/checkpoint.ts'
import { RoadveilError } from '../errors.ts'

/**
 * How a checkpoint stands to the last one that was witnessed: `next` goes on from it, `old` came late or twice. Anything else is
 * the alarm to raise: the box's log was put back, went another way, was begun anew, or cannot be told to go on.
 */
export function judgeContinuity(last: Checkpoint, next: Checkpoint): 'next' | 'old' | RoadveilError {
  const at = `row ${next.head.sequence}`
  if (next.logId !== last.logId) {
    return new RoadveilError('ERR_AUDIT_REPLACED', `the audit log of ${next.device} was begun anew`)
  }
  const known = new Map([...last.marks, last.head].map(({ sequence, hash }) => [sequence, hash]))
  const path = [...next.marks, next.head]
  const other = path.find(({ sequence, hash }) => (known.get(sequence) ?? hash) !== hash)
  if (next.head.sequence < last.head.sequence) {
    if (!other && (known.has(next.head.sequence) || isFromBefore(next, last))) return 'old'
    const message = `the audit log of ${next.device} is back at ${at}, after row ${last.head.sequence} was witnessed`
    return new RoadveilError('ERR_AUDIT_ROLLED_BACK', message)
  }
  if (other) {
    const message = `row ${other.sequence} of the audit log of ${next.device} is not the one that was witnessed`
    return new RoadveilError('ERR_AUDIT_FORKED', message)
  }
  if (path.some(({ sequence }) => sequence === last.head.sequence)) {
    return next.issuedAt === last.issuedAt ? 'old' : 'next'
  }
  // It grew past what was witnessed without ever being there: an old copy that was put back, and went on from there.
  return oldest(path).sequence < last.head.sequence
    ? new RoadveilError(
        'ERR_AUDIT_FORKED',
        `the audit log of ${next.device} came to ${at} without row ${last.head.sequence}, which was witnessed`,
      )
    : new RoadveilError(
        'ERR_AUDIT_GAP',
        `the audit log of ${next.device} is at ${at}, and nothing was heard of it since row ${last.head.sequence}`,
      )
}

/** Older than everything that the last one names, and signed before it: a message that took its time. */
function isFromBefore(next: Checkpoint, last: Checkpoint): boolean {
  return next.head.sequence < oldest([...last.marks, last.head]).sequence && next.issuedAt < last.issuedAt
}

function oldest(marks: readonly AuditMark[]): AuditMark {
  const [first] = marks
  if (!first) throw new Error('a checkpoint has at least its head')
  return first
}
