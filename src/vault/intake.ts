import type { Outcome, VisionHandlers } from '../channel/listener.ts'
import type { Config } from '../config/config.ts'
import type { EvidenceFacts } from '../domain/evidence.ts'
import type { EpochMs } from '../domain/frame.ts'
import { free } from '../domain/release.ts'
import { isRoadveilError, RoadveilError } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { SigningKey } from '../sealing/keys.ts'
import { sealEvidence } from '../sealing/seal.ts'
import type { EvidenceShelf } from '../store/evidence.ts'
import type { Selftests } from '../store/selftest.ts'

export interface IntakeDeps {
  readonly config: Config
  /** Read anew for each: it may be changed meanwhile. */
  readonly signingKey: SigningKey
  readonly shelf: EvidenceShelf
  readonly selftests: Selftests
  /** The host's clock. */
  readonly now: () => EpochMs
  /** Called when there is something new in the outbox. */
  readonly onStored: () => void
  readonly logger: Logger
}

/** Failures of the store that pass: vision keeps the evidence and sends it again. */
const PASSING: ReadonlySet<ErrorCode> = new Set([
  'ERR_STORE_FULL',
  'ERR_STORE_IO',
  'ERR_STORE_LOCKED',
  // The vault is about to be started again, and saves what is intact into a new store.
  'ERR_STORE_CORRUPT',
])

/**
 * Takes in what vision sends: checks that it is of this box, seals it and commits it. It is `stored` only when it is on
 * the disk. What was stored before is answered `stored` again, since vision may not have heard it the first time.
 */
export function createIntake(
  deps: IntakeDeps,
): Pick<VisionHandlers, 'evidence' | 'discarded' | 'selftest' | 'selftestPassedBy'> {
  const { config, shelf, logger, now } = deps
  const recipients = config.city.recipients

  return {
    async evidence(evidence) {
      const { facts } = evidence
      checkOrigin(facts, config)
      const { evidenceId } = facts
      return orPassing(logger, evidenceId, async () => {
        if (shelf.has(evidenceId)) return
        const startedAt = performance.now()
        const sealed = await sealEvidence(evidence, {
          signingKey: deps.signingKey,
          recipients,
          sealedAt: now(),
        })
        shelf.commit(sealed, {
          camera: facts.camera,
          ruleId: facts.rule.id,
          judgedAt: Date.parse(facts.times.judged.camera),
          at: now(),
        })
        sealed.chunks.forEach(free)
        logger.info('evidence is sealed and stored', {
          evidenceId,
          camera: facts.camera,
          bytes: sealed.ciphertextBytes,
          durationMs: Math.round(performance.now() - startedAt),
        })
        deps.onStored()
      })
    },

    selftest(report) {
      try {
        deps.selftests.record({ ...report, at: now() })
      } catch (error) {
        // It is only tried again at the next start.
        logger.error('nothing can be stored now', { error })
      }
    },

    get selftestPassedBy() {
      return deps.selftests.passedBy()
    },

    async discarded(discarded) {
      return orPassing(logger, discarded.evidenceId, () => {
        shelf.recordDiscarded(discarded, now())
      })
    },
  }
}

async function orPassing(
  logger: Logger,
  evidenceId: string,
  work: () => Promise<void> | void,
): Promise<Outcome> {
  try {
    await work()
    return 'stored'
  } catch (error) {
    if (!isRoadveilError(error) || !PASSING.has(error.code)) throw error
    logger.error('nothing can be stored now', { evidenceId, error })
    return { refused: error.code, again: true }
  }
}

/** vision is not trusted to speak for another box, and every file that the facts speak of must be there. */
function checkOrigin(facts: EvidenceFacts, config: Config): void {
  const wrong =
    facts.site !== config.site.id
      ? 'site'
      : facts.device !== config.device.id
        ? 'device'
        : facts.software.configSha256 !== config.sha256
          ? 'config'
          : config.cameras.every(({ id }) => id !== facts.camera)
            ? 'camera'
            : undefined
  if (wrong) throw new RoadveilError('ERR_EVIDENCE_INVALID', `the facts name another ${wrong}`)
  const names = new Set(facts.files.map(({ name }) => name))
  const named = [facts.clip.file, ...facts.pictures.map(({ file }) => file)]
  if (facts.plate.crop) named.push(facts.plate.crop.file)
  if (named.some((name) => !names.has(name))) {
    throw new RoadveilError('ERR_EVIDENCE_INVALID', 'the facts speak of a file that is not there')
  }
}
