import { randomUUID } from 'node:crypto'
import type { Config } from '../../src/config/config.ts'
import type { EpochMs } from '../../src/domain/frame.ts'
import { signCommand, type UnsignedCommand } from '../../src/sealing/command.ts'
import type { IsClockPlausible } from '../../src/retention/clock.ts'
import type { SigningKey, VerifyKeys } from '../../src/sealing/keys.ts'
import { readSigningFile } from '../../src/sealing/signing-file.ts'
import type { Store } from '../../src/store/open.ts'
import { accountSigner } from '../../src/vault/certificates.ts'
import { createCommandDesk } from '../../src/vault/commands.ts'
import { createExecutor } from '../../src/vault/execution.ts'
import { signingKeySource } from '../../src/vault/keys.ts'
import { createRefusals } from '../../src/vault/refusals.ts'
import { createSigner } from '../../src/vault/signer.ts'
import { keptLog } from './kept-log.ts'

const DAY_MS = 86_400_000

/** A command as it goes over the broker. */
export interface SentCommand {
  readonly commandId: string
  readonly envelope: Buffer
}

/** The desk of a box as its vault puts it together, on a store that is open. */
export async function deskOn(
  store: Store,
  {
    config,
    cityKeys,
    now,
    isClockPlausible,
  }: {
    readonly config: Config
    readonly cityKeys: VerifyKeys
    readonly now: () => EpochMs
    readonly isClockPlausible: IsClockPlausible
  },
) {
  const signer = createSigner(config, readSigningFile(signingKeySource(config, {})), {})
  const logger = keptLog()
  const about = {
    site: config.site.id,
    device: config.device.id,
    store,
    signer,
    cityKeys,
    now,
    isClockPlausible,
    logger,
  }
  const execute = createExecutor({
    ...{ store, signer, sign: accountSigner(config, signer) },
    ...{ onQueued: () => undefined, onRotated: () => undefined },
  })
  const refusals = createRefusals({ audit: store.audit, now, logger })
  const desk = createCommandDesk({ ...about, execute, refusals })
  await desk.settleLoss()
  return { signer, desk }
}

/** Signs a command as the city, issued at this moment and valid for a day, unless the draft says otherwise. */
export function signDraft(
  draft: object,
  { config, key, at }: { readonly config: Config; readonly key: SigningKey; readonly at: EpochMs },
): SentCommand {
  const [issuedAt, expiresAt] = [at, at + DAY_MS].map((moment) => new Date(moment).toISOString())
  const about = { commandId: randomUUID(), site: config.site.id, deviceId: config.device.id }
  const words = { issuedAt, expiresAt, by: 'ada', reason: 'a test' }
  const command = { ...about, ...words, ...draft } as unknown as UnsignedCommand
  return { commandId: command.commandId, envelope: Buffer.from(signCommand(command, key)) }
}
