import { join } from 'node:path'
import { listenForControl } from '../channel/control.ts'
import { listenForVision } from '../channel/listener.ts'
import type { VisionStats } from '../channel/messages.ts'
import type { Config } from '../config/config.ts'
import { createForwarder } from '../delivery/forwarder.ts'
import { ERRORS } from '../errors.ts'
import { isClockKept } from '../health/clock.ts'
import type { Logger } from '../log.ts'
import { clockJudge } from '../retention/clock.ts'
import { verifyReceipt } from '../sealing/receipt.ts'
import { isWriteFailure } from '../store/failure.ts'
import { openStore } from '../store/open.ts'
import { VERSION } from '../version.ts'
import { type AuditVerdict, checkAtStart, recordStart, reportAudit } from './audit.ts'
import { accountSigner, readCertificates } from './certificates.ts'
import { createCommandDesk } from './commands.ts'
import { createDesk } from './desk.ts'
import { createExecutor } from './execution.ts'
import { createIntake } from './intake.ts'
import { settleRotation } from './key-change.ts'
import { judgeKeys, loadVaultKeys, openWith, wipe } from './keys.ts'
import { createOutbox } from './outbox.ts'
import { createPurging } from './purging.ts'
import { createRefusals } from './refusals.ts'
import { createSigner } from './signer.ts'
import { readStatus } from './status.ts'
import { noteStoreFailure } from './store-failure.ts'
import { createSubjectDesk } from './subject.ts'
import { keepRunning, logWarnings } from './supervision.ts'
import { createVisionBoard } from './vision-board.ts'
import { createWitness } from './witness.ts'

/**
 * The process that has the keys, the store and the way to the city, and never sees a raw pixel. Runs until the signal
 * aborts; then it finishes what it is committing, says `offline` to the broker and closes the store.
 *
 * A store that is damaged is salvaged at the start. Where damage is met later, this ends with ERR_STORE_CORRUPT, to be started again.
 *
 * A broker that cannot be reached, or a part that fails, does not stop the others: what vision sends is always taken in. But a disk
 * that refuses a write ends it: only a store that is opened anew, by the next process, can be believed again.
 *
 * @param dependencies.onReady called once it takes what vision sends
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_KEY_WRAP, what `openStore` throws, ERR_CHANNEL_BUSY, ERR_RUNTIME_DIRECTORY
 */
export async function runVault(
  config: Config,
  signal: AbortSignal,
  { logger, onReady }: { readonly logger: Logger; readonly onReady?: () => void },
): Promise<void> {
  try {
    await runUntilFailure(config, signal, { logger, onReady })
  } catch (error) {
    if (isWriteFailure(error)) noteStoreFailure(config, Date.now())
    throw error
  }
}

async function runUntilFailure(
  config: Config,
  stop: AbortSignal,
  { logger, onReady }: { readonly logger: Logger; readonly onReady: (() => void) | undefined },
): Promise<void> {
  const now = Date.now
  const startedAt = now()
  const keys = await loadVaultKeys(config, process.env)
  const deviceId = config.device.id
  const { file, maxSizeMiB } = config.store
  const damaged = new AbortController()
  const { opened, key } = openWith(keys, (key) =>
    openStore({
      ...{ file, key, maxSizeMiB, deviceId, logger },
      salvage: { at: startedAt },
      onDamage: (error) => damaged.abort(error),
    }),
  )
  using store = opened
  const signal = AbortSignal.any([stop, store.failed])
  settleRotation(config, { ...keys, key, env: process.env, logger })
  wipe(keys)
  const until = AbortSignal.any([signal, damaged.signal])
  const signer = createSigner(config, keys.signingFile, process.env)
  const checked = {
    store,
    deviceId,
    get signers() {
      return signer.signers
    },
  }
  recordStart(store, { version: VERSION, signingKeyId: keys.signing.id }, { at: startedAt, logger })

  const outbox = createOutbox(store)
  const site = config.site.id
  const sign = accountSigner(config, signer)
  const isClockPlausible = clockJudge({ newestAt: () => store.expiry.newestAt(), isKept: isClockKept })
  const about = { site, device: deviceId, store, signer, now, logger }
  const refusals = createRefusals({ audit: store.audit, now, logger })
  const commands = createCommandDesk({
    ...about,
    isClockPlausible,
    cityKeys: keys.command,
    refusals,
    execute: createExecutor({
      store,
      sign,
      signer,
      onQueued: () => forwarder.wake(),
      onRotated: () => forwarder.renew(),
    }),
  })
  await commands.settleLoss()
  const forwarder = createForwarder({
    outbox,
    get endorsements() {
      return signer.endorsements
    },
    checkpoints: createWitness({
      ...about,
      get signingKey() {
        return signer.signingKey
      },
    }),
    certificates: store.certificates,
    commands,
    broker: keys.broker,
    station: { prefix: config.broker.topicPrefix, site, device: deviceId },
    verifyReceipt: (envelope) => verifyReceipt(envelope, keys.receipt, { deviceId }),
    softwareVersion: VERSION,
    logger,
    now,
  })
  const purging = createPurging({ config, store, sign, now, isClockPlausible, logger })
  const board = createVisionBoard(now)
  const checks: { audit?: AuditVerdict | undefined } = {}
  const keyWarning = judgeKeys(keys, config)
  if (keyWarning)
    logger.warn(keyWarning.message, { code: keyWarning.code, hint: ERRORS[keyWarning.code].hint })
  const status = () =>
    readStatus({
      ...{ config, store, board, outbox, forwarder, purging, commands, startedAt, now, keyWarning },
      auditFault: checks.audit?.fault,
      isClockPlausible,
    })

  await using sockets = new AsyncDisposableStack()
  const handler = createDesk({
    store,
    reportAudit: (witnessed) => reportAudit(checked, { witnessed, signal: until }),
    subjects: createSubjectDesk({ config, store, sign, now, isClockPlausible, logger }),
    readCertificates: (after) => readCertificates(checked, after),
    readStatus: status,
    now,
    logger,
  })
  const { runtimeDirectory } = config
  sockets.use(await listenForControl({ runtimeDirectory, handler, logger }))
  const intake = createIntake({
    config,
    get signingKey() {
      return signer.signingKey
    },
    shelf: store.evidence,
    selftests: store.selftests,
    now,
    onStored: () => forwarder.wake(),
    logger,
  })
  const fromVision = await listenForVision(
    {
      socketPath: join(runtimeDirectory, 'vault.sock'),
      hello: { version: VERSION, configSha256: config.sha256 },
      handlers: Object.assign(intake, {
        stats: (stats: VisionStats) => board.stats(stats),
        connected: (version: string | undefined) => board.connected(version),
      }),
      logger,
    },
    until,
  )
  sockets.use(fromVision)
  logger.info('vault is ready', { version: VERSION })
  onReady?.()

  const part = { signal: until, logger }
  await Promise.all([
    checkAtStart(checked, part).then((verdict) => (checks.audit = verdict)),
    keepRunning('delivery', async (until) => forwarder.run(until), part),
    keepRunning('commands', async (until) => refusals.run(until), part),
    keepRunning('retention', async (until) => purging.run(until), part),
    keepRunning(
      'health',
      async (until) => logWarnings(async () => (await status()).warnings, { signal: until, logger }),
      part,
    ),
  ])
  store.failed.throwIfAborted()
  logger.info('vault is stopping')
  // Nothing can be written to it any more: the next start makes a new store of what is intact.
  damaged.signal.throwIfAborted()
}
