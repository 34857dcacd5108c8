import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { probeCamera } from '../camera/probe.ts'
import { askVault } from '../channel/control.ts'
import type { VaultStatus } from '../channel/control-messages.ts'
import type { Config } from '../config/config.ts'
import { type ErrorCode, ERRORS, isRoadveilError, RoadveilError } from '../errors.ts'
import { readExpiry } from '../health/certificate.ts'
import { isClockKept } from '../health/clock.ts'
import { readDisk } from '../health/disk.ts'
import { judgeBacklog, judgeCertificates, judgeDisk, judgePlausibility } from '../health/warnings.ts'
import { type BrokerAddress, connectBroker } from '../protocol/connection.ts'
import { clockJudge } from '../retention/clock.ts'
import { lookIntoStore } from '../store/look.ts'
import { judgeKeys, loadVaultKeys, openWith, wipe } from '../vault/keys.ts'
import { type Check, fault, judged, look, ok, warn } from './check.ts'

const CAMERA_MS = 15_000
const BROKER_TIMEOUTS = { connectMs: 10_000, publishMs: 10_000 }
/** As the vault has it: looking must not cost the box the receipts that wait for it. */
const SESSION_EXPIRY_SECONDS = 86_400

type Env = Readonly<Record<string, string | undefined>>

/** Looks at everything that the config names, with the vault running or not. */
export async function checkBox(config: Config, env: Env, now: number): Promise<readonly Check[]> {
  const status = await askVault(config.runtimeDirectory, { verb: 'status' }).catch((error: unknown) => {
    if (isRoadveilError(error, 'ERR_VAULT_UNREACHABLE')) return undefined
    throw error
  })
  const all = await Promise.all([
    status ? checkRunning(status) : look('store', () => checkStopped(config, env, now)),
    look('certificates', () => checkCertificates(config, now)),
    look('broker', () => (status ? brokerOf(status) : checkBroker(config, env))),
    look('disk', async () => {
      const disk = await readDisk(dirname(config.store.file))
      if (!disk) return [fault('disk', 'ERR_STORE_IO', 'the disk of the store cannot be looked at')]
      return judged('disk', judgeDisk(disk), `${Math.floor(disk.freeBytes / 1e6)} MB free`)
    }),
    ...config.cameras.map((camera) =>
      look(`camera ${camera.id}`, async () => {
        await probeCamera(camera, CAMERA_MS)
        return [ok(`camera ${camera.id}`, 'sends video')]
      }),
    ),
  ])
  return all.flat()
}

/** What other checks look at themselves. */
const LOOKED_AT: ReadonlySet<string> = new Set([
  'ERR_CERTIFICATE_EXPIRY',
  'ERR_CERTIFICATE_UNREADABLE',
  'ERR_CLOCK_UNSYNCHRONIZED',
  'ERR_DISK_FULL',
])

/** The running vault has the store for itself, and knows the rest. */
function checkRunning(status: VaultStatus): readonly Check[] {
  const { vault } = status.processes
  const { outbox, oldestAt } = status.store
  const backlog =
    outbox === 0 ? 'nothing waits' : `${outbox} evidence wait, the oldest since ${oldestAt ?? '-'}`
  const warnings = status.warnings.filter(
    ({ code }) => !LOOKED_AT.has(code) && !code.startsWith('ERR_BROKER'),
  )
  return [
    ok('vault', `${vault.version} runs since ${vault.startedAt}`),
    ok('store', `open; ${backlog}`),
    ...warnings.map(({ code, message }) => warn('status', isCode(code) ? code : 'ERR_INTERNAL', message)),
  ]
}

/** Keys and store, as the next start will find them. */
async function checkStopped(config: Config, env: Env, now: number): Promise<readonly Check[]> {
  const checks: Check[] = [ok('vault', 'does not run')]
  const keys = await loadVaultKeys(config, env)
  try {
    const keyWarning = judgeKeys(keys, config)
    checks.push(
      ...judged('keys', keyWarning ? [keyWarning] : [], 'fit each other, and the city can recover the store'),
    )
    const { file } = config.store
    const found = await look('store', async () => {
      const { opened } = openWith(keys, (key) => lookIntoStore({ file, key }))
      const clock = await checkPlausibility(opened?.newestAt, now)
      if (!opened) return [ok('store', 'not there yet'), ...clock]
      if (!opened.counts)
        return [ok('store', 'of an earlier version; the next start brings it up to date'), ...clock]
      const { pending: count, oldestPendingAt: oldestAt } = opened.counts
      const asides = opened.setAsides.map(({ name, lost }) =>
        warn(
          'store',
          'ERR_STORE_SALVAGED',
          `${name}: a damaged store was set aside, with ${lost.length} evidence lost`,
        ),
      )
      return [
        ...judged(
          'store',
          judgeBacklog({ outbox: { count, oldestAt, setAside: [] } }, now),
          `whole; ${count} evidence wait`,
        ),
        ...asides,
        ...clock,
      ]
    })
    return [...checks, ...found]
  } finally {
    wipe(keys)
  }
}

/** As the vault will judge the clock when it starts; how it is kept, the look at the machine says. */
async function checkPlausibility(newestAt: number | undefined, now: number): Promise<readonly Check[]> {
  const isClockPlausible = clockJudge({ newestAt: () => newestAt, isKept: isClockKept })
  const warnings = judgePlausibility({ clockPlausible: await isClockPlausible(now) }, now)
  return warnings.map(({ code, message }) => warn('clock', code, message))
}

async function checkCertificates({ broker, device }: Config, now: number): Promise<readonly Check[]> {
  const files = [broker.certificateFile, broker.caFile]
  const certificates = await Promise.all(
    files.map(async (file) => ({ file, expiresAt: await readExpiry(file) })),
  )
  const soonest = Math.min(...certificates.map(({ expiresAt }) => expiresAt ?? Infinity))
  const well = Number.isFinite(soonest)
    ? `valid until ${new Date(soonest).toISOString().slice(0, 10)}`
    : 'there'
  const own = new X509Certificate(await readFile(broker.certificateFile))
  const name = /^CN=(.*)$/m.exec(own.subject)?.[1]
  const isOther = name !== device.id
  const identity = isOther
    ? [
        fault(
          'certificates',
          'ERR_BROKER_REFUSED',
          `the certificate is of ${name ?? 'nobody'}, not of ${device.id}`,
        ),
      ]
    : []
  return [...judged('certificates', judgeCertificates({ certificates }, now), well), ...identity]
}

/** While the vault is connected, another connection with its name would end that one. */
function brokerOf({ delivery }: VaultStatus): readonly Check[] {
  if (delivery.connected) return [ok('broker', 'the vault is connected')]
  const code = delivery.code !== null && isCode(delivery.code) ? delivery.code : 'ERR_BROKER_LOST'
  return [fault('broker', code, 'the vault is not connected')]
}

/** TLS and login, as the vault does it. What waits there is not taken: it is for the vault. */
async function checkBroker(config: Config, env: Env): Promise<readonly Check[]> {
  const keys = await loadVaultKeys(config, env)
  wipe(keys)
  const address: BrokerAddress = keys.broker
  await using connection = await connectBroker(
    {
      ...{ address, clientId: config.device.id, sessionExpirySeconds: SESSION_EXPIRY_SECONDS, filters: [] },
      onMessage: async () => {
        throw new RoadveilError('ERR_BROKER_LOST', 'only a look')
      },
      timeouts: BROKER_TIMEOUTS,
    },
    AbortSignal.timeout(BROKER_TIMEOUTS.connectMs),
  )
  return connection.ended.aborted
    ? [fault('broker', 'ERR_BROKER_LOST', 'the broker ended the connection')]
    : [ok('broker', `${config.broker.url} accepts this box`)]
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}
