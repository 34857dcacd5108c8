import type { EpochMs } from '../domain/frame.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { Command, CommandOf, CommandSubject } from '../sealing/command.ts'
import type { SignAccount } from '../store/certificate.ts'
import type { HoldCriteria } from '../store/hold.ts'
import type { Store } from '../store/open.ts'
import type { EvidenceScope } from '../store/resend.ts'
import type { Rotated } from './key-change.ts'
import type { Signer } from './signer.ts'

/** What a command did. */
export interface Happened {
  /** How much of what. */
  readonly changed: Readonly<Record<string, number>>
  /** Evidence that was named and that the box has no longer. */
  readonly gone?: readonly string[]
  readonly rotated?: Rotated
}

/** How a command that is being done is recorded. */
export interface Done {
  readonly at: EpochMs
  /** Whether the clock that says so can be right. */
  readonly clockPlausible: boolean
  /** Notes that it began, and returns the id of the signing key of that time; of an earlier try, where there was one. */
  begin(): string
  /** Does everything in one transaction with the record and the answer. */
  conclude(work: () => Happened): void
  /** Keeps record and answer inside a transaction that is under way. */
  keep(happened: Happened): void
}

/** Does one command. Throws coded errors; unless it had begun, nothing is changed then. */
export type Executor = (command: Command, done: Done) => void

/** Creates what does commands: the same as people do at the box, with the same rules. */
export function createExecutor(deps: {
  readonly store: Pick<Store, 'holds' | 'subjects' | 'resends' | 'audit'>
  readonly sign: SignAccount
  readonly signer: Signer
  /** Called when evidence is to be sent again. */
  readonly onQueued: () => void
  /** Called when the signing key was changed: the city must hear of it before anything that it signs. */
  readonly onRotated: () => void
}): Executor {
  const { store, signer } = deps

  const hold = ({ subject, caseNumber, reason, by }: CommandOf<'hold'>, at: EpochMs): Happened => {
    const act = { caseNumber, reason, by: atCity(by), at }
    const scope = scopeOf(subject)
    if ('criteria' in scope) return { changed: { held: store.holds.placeOn(scope.criteria, act) } }
    const ids = Map.groupBy(scope.evidenceIds, store.resends.standingOf)
    let [held, already] = [0, 0]
    for (const evidenceId of ids.get('stored') ?? []) {
      if (placed(() => store.holds.place(evidenceId, act))) held++
      else already++
    }
    const [gone, unknown] = [ids.get('gone') ?? [], ids.get('unknown') ?? []]
    if (held + already === 0) {
      throw new RoadveilError('ERR_EVIDENCE_UNKNOWN', 'nothing that is to be held is stored')
    }
    return { changed: { held, already, gone: gone.length, unknown: unknown.length }, gone }
  }

  const release = (command: CommandOf<'release'>, at: EpochMs): Happened => {
    const { evidenceIds, caseNumber, reason, by } = command
    const act = { reason, by: atCity(by), at }
    if (evidenceIds) {
      for (const evidenceId of evidenceIds) store.holds.release(evidenceId, { ...act, caseNumber })
      return { changed: { released: evidenceIds.length } }
    }
    return { changed: { released: store.holds.releaseCase(caseNumber ?? '', act) } }
  }

  const resend = ({ subject }: CommandOf<'resend'>, at: EpochMs): Happened => {
    const { queued, gone, unknown } = store.resends.queue(scopeOf(subject), at)
    return { changed: { queued, gone: gone.length, unknown: unknown.length }, gone }
  }

  /** Deletes in many transactions, of which the last one records it: interrupted before, what is left is erased when it comes again. */
  const erase = ({ subject, by }: CommandOf<'erase'>, done: Done): void => {
    const scope = scopeOf(subject)
    const about =
      'criteria' in scope
        ? { from: scope.criteria.from, until: scope.criteria.until, camera: scope.criteria.camera }
        : { evidenceId: scope.evidenceIds[0] }
    const { at, clockPlausible } = done
    done.begin()
    store.subjects.erase(about, {
      by: atCity(by),
      at,
      clockPlausible,
      sign: deps.sign,
      conclude: ({ evidence, tombstones, kept }) => {
        const because = (why: string): number => kept.filter((each) => each.because === why).length
        done.keep({
          changed: {
            evidence: evidence.length,
            tombstones: tombstones.length,
            held: because('held'),
            unconfirmed: because('unconfirmed'),
            recent: because('recent'),
          },
        })
      },
    })
  }

  /** The key file and the store cannot change in one step: whether the file was changed before a crash is told by its key. */
  const rotate = (done: Done): void => {
    const before = done.begin()
    const { id } = signer.signingKey
    const rotated = id === before ? signer.rotate(done.at) : { previousKeyId: before, keyId: id }
    // From here on the new key signs, whether it can be recorded or not.
    deps.onRotated()
    done.conclude(() => {
      store.audit.append('signing-key-rotated', { ...rotated }, done.at)
      return { changed: {}, rotated }
    })
  }

  return (command, done) => {
    const { at } = done
    switch (command.kind) {
      case 'hold':
        done.conclude(() => hold(command, at))
        return
      case 'release':
        done.conclude(() => release(command, at))
        return
      case 'resend':
        done.conclude(() => resend(command, at))
        deps.onQueued()
        return
      case 'erase':
        erase(command, done)
        return
      case 'rotate-key':
        rotate(done)
        return
    }
  }
}

/** Tells who commands in the city from who stands at the box. */
function atCity(by: string): string {
  return `${by} (city)`
}

function placed(place: () => void): boolean {
  try {
    place()
    return true
  } catch (error) {
    if (!isRoadveilError(error, 'ERR_HOLD_EXISTS')) throw error
    return false
  }
}

function scopeOf(subject: CommandSubject | CommandOf<'erase'>['subject']): EvidenceScope {
  if ('evidenceIds' in subject) return subject
  const { timeSpan, camera, ...rest } = subject.criteria
  const [from, until] = timeSpan?.map((instant) => Date.parse(instant)) ?? []
  const criteria: HoldCriteria = { camera, ruleId: 'rule' in rest ? rest.rule : undefined, from, until }
  return { criteria }
}
