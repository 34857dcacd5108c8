import { createHash } from 'node:crypto'
import type { VaultLink } from '../../channel/link.ts'
import type { ModelManifest } from '../../models/manifest.ts'
import { RoadveilError } from '../../errors.ts'
import type { Logger } from '../../log.ts'
import { VERSION } from '../../version.ts'
import { untilAborted } from '../../waiting.ts'
import { type SelftestFigures, shortfalls } from './figures.ts'

/** Whether the networks may decide about anybody. */
export interface Verdict {
  readonly state: 'running' | 'passed' | 'failed'
  /** Resolves when they may. @throws RoadveilError ERR_SELFTEST_FAILED, ERR_STOPPED */
  readonly passed: Promise<void>
}

export interface VerdictDeps {
  readonly link: Pick<VaultLink, 'selftestPassedBy' | 'reportSelftest'>
  readonly manifest: ModelManifest
  readonly runSelftest: () => Promise<SelftestFigures>
  readonly logger: Logger
}

/**
 * Asks vault whether this software with these networks has passed the self-test on this box, and runs it where it has not: after every
 * change of models, that is. Until then, and for good when it fails, nobody is enforced against.
 */
export function awaitVerdict(
  { link, manifest, runSelftest, logger }: VerdictDeps,
  signal: AbortSignal,
): Verdict {
  let state: Verdict['state'] = 'running'
  const subjectSha256 = selftestSubject(manifest)

  async function judge(): Promise<void> {
    if ((await link.selftestPassedBy) === subjectSha256) return
    logger.info('the networks are new here; the self-test runs')
    const short = shortfalls(await runSelftest())
    link.reportSelftest({ subjectSha256, passed: short.length === 0 })
    if (short.length > 0) throw new RoadveilError('ERR_SELFTEST_FAILED', short.join('; '))
    logger.info('the self-test passed')
  }
  const stopped = untilAborted(signal).then((): never => {
    throw new RoadveilError('ERR_STOPPED', 'Roadveil was stopped before the networks were tested')
  })
  const passed = Promise.race([judge(), stopped]).then(
    () => {
      state = 'passed'
    },
    (error: unknown) => {
      if (signal.aborted) throw error
      state = 'failed'
      logger.error('the self-test failed', { error })
      // Fail closed: a self-test that could not be run has not been passed.
      throw new RoadveilError('ERR_SELFTEST_FAILED', 'the networks did not pass the self-test', {
        cause: error,
      })
    },
  )
  passed.catch(() => undefined) // whoever has a violation hears of it
  return {
    get state() {
      return state
    },
    passed,
  }
}

/** SHA-256 of what a self-test is about: this software and these networks. */
export function selftestSubject({ models }: ModelManifest): string {
  const parts = [VERSION, ...models.map(({ role, sha256 }) => `${role} ${sha256}`).sort()]
  return createHash('sha256').update(parts.join('\n')).digest('hex')
}
