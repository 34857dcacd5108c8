import { join } from 'node:path'
import { listenForControl } from '../channel/control.ts'
import { listenForVision } from '../channel/listener.ts'
import type { VisionStats } from '../channel/messages.ts'
import type { Config } from '../config/config.ts'
import { createForwarder } from '../delivery/forwarder.ts'
import type { Logger } from '../log.ts'
import { verifyReceipt } from '../sealing/receipt.ts'
import { isWriteFailure } from '../store/failure.ts'
import { openStore } from '../store/open.ts'
import { VERSION } from '../version.ts'
import { checkAtStart, recordStart, reportAudit } from './audit.ts'
import { accountSigner, readCertificates } from './certificates.ts'
import { createDesk } from './desk.ts'
import { createIntake } from './intake.ts'
import { settleRotation } from './key-change.ts'
import { loadVaultKeys, openWith, warnAboutKeys, wipe } from './keys.ts'
import { createOutbox } from './outbox.ts'
import { createPurging } from './purging.ts'
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
 * A broker that cannot be reached, or a part that fails, does not stop the others: what vision sends is always taken in. But a disk
 * that refuses a write ends it: only a store that is opened anew, by the next process, can be believed again.
 *
 * @throws ERR_SECRET_FILE, ERR_KEY_INVALID, ERR_KEY_WRAP, what `openStore` throws, ERR_CHANNEL_BUSY, ERR_RUNTIME_DIRECTORY
 */
export async function runVault(
  config: Config,
  signal: AbortSignal,
  { logger }: { readonly logger: Logger },
): Promise<void> {
  try {
    await runUntilFailure(config, signal, logger)
  } catch (error) {
    if (isWriteFailure(error)) noteStoreFailure(config, Date.now())
    throw error
  }
}

async function runUntilFailure(config: Config, stop: AbortSignal, logger: Logger): Promise<void> {
  const now = Date.now
  const startedAt = now()
  const keys = await loadVaultKeys(config, process.env)
  const deviceId = config.device.id
  const { file, maxSizeMiB } = config.store
  const { opened, key } = openWith(keys, (key) => openStore({ file, key, maxSizeMiB, deviceId, logger }))
  using store = opened
  const signal = AbortSignal.any([stop, store.failed])
  settleRotation(config, { ...keys, key, env: process.env, logger })
  wipe(keys)
  warnAboutKeys(keys, config, logger)
  const checked = { store, deviceId, signers: keys.signers }
  recordStart(store, { version: VERSION, signingKeyId: keys.signing.id }, { at: startedAt, logger })

  const outbox = createOutbox(store)
  const site = config.site.id
  const forwarder = createForwarder({
    outbox,
    endorsements: keys.endorsements,
    checkpoints: createWitness({ store, site, device: deviceId, signingKey: keys.signing, now, logger }),
    broker: keys.broker,
    station: { prefix: config.broker.topicPrefix, site, device: deviceId },
    verifyReceipt: (envelope) => verifyReceipt(envelope, keys.receipt, { deviceId }),
    softwareVersion: VERSION,
    logger,
    now,
  })
  const sign = accountSigner(config, keys.signing)
  const purging = createPurging({ config, store, sign, now, logger })
  const board = createVisionBoard(now)
  const status = () => readStatus({ config, store, board, outbox, forwarder, purging, startedAt, now })

  await using sockets = new AsyncDisposableStack()
  const handler = createDesk({
    store,
    reportAudit: (witnessed) => reportAudit(checked, { witnessed, signal }),
    subjects: createSubjectDesk({ config, store, sign, now, logger }),
    readCertificates: (after) => readCertificates(checked, after),
    readStatus: status,
    now,
    logger,
  })
  const { runtimeDirectory } = config
  sockets.use(await listenForControl({ runtimeDirectory, handler, logger }))
  const intake = createIntake({
    config,
    signingKey: keys.signing,
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
    signal,
  )
  sockets.use(fromVision)
  logger.info('vault is ready', { version: VERSION })

  const part = { signal, logger }
  await Promise.all([
    checkAtStart(checked, part),
    keepRunning('delivery', async (until) => forwarder.run(until), part),
    keepRunning('retention', async (until) => purging.run(until), part),
    keepRunning(
      'health',
      async (until) => logWarnings(async () => (await status()).warnings, { signal: until, logger }),
      part,
    ),
  ])
  store.failed.throwIfAborted()
  logger.info('vault is stopping')
}
