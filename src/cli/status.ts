import type { Command } from 'commander'
import type { VaultStatus } from '../channel/control-messages.ts'
import { iso } from '../domain/frame.ts'
import { ERRORS } from '../errors.ts'
import { readConfig } from './config.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'
import { sizeText, tableLines, timeText, wrapped } from './table.ts'

/** `roadveil status`: what the running box does, as its vault knows it. */
export function addStatus(program: Command, output: Output): void {
  program
    .command('status')
    .summary('show what the running box does')
    .description(
      'Asks the running box: processes, cameras, evidence, delivery, clock, and what needs a person.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil status --config /etc/roadveil/roadveil.yaml')
    .action(async ({ config: file, json }: { readonly config: string; readonly json?: true }) => {
      const config = await readConfig(file, 'cli')
      const { askVault } = await import('../channel/control.ts')
      const status = await askVault(config.runtimeDirectory, { verb: 'status' }).catch(
        async (error: unknown) => {
          const { readStoreFailure } = await import('../vault/store-failure.ts')
          const failedAt = await readStoreFailure(config)
          if (failedAt !== null) {
            const { hint } = ERRORS.ERR_STORE_IO
            output.note(
              `roadveil: the disk refused a write of vault's at ${iso(failedAt)} [ERR_STORE_IO]: ${hint}`,
            )
          }
          throw error
        },
      )
      if (json) output.json(status)
      else for (const line of statusLines(status)) output.answer(line)
    })
}

/** The status for people: a line a topic, then what a person should look at. */
function statusLines(status: VaultStatus): string[] {
  const { vault, vision } = status.processes
  const cameras = status.cameras.map((camera) => [
    camera.camera,
    camera.code ? `${camera.state} (${camera.code})` : camera.state,
    Number(camera.fps.toFixed(1)),
    camera.frames,
    camera.dropped,
    camera.restarts,
    timeText(camera.lastFrameAt),
  ])
  const header = ['CAMERA', 'STATE', 'FPS', 'FRAMES', 'DROPPED', 'RESTARTS', 'LAST FRAME']
  return [
    `${status.device} at ${status.site}`,
    `vault      ${vault.version}, pid ${vault.pid}, since ${timeText(vault.startedAt)}`,
    `vision     ${vision ? `${vision.version}, connected since ${timeText(vision.connectedAt)}` : 'not connected'}`,
    ...(status.selftest ? [`networks   self-test ${status.selftest}`] : []),
    ...countLines(status),
    `evidence   ${evidenceText(status)}`,
    ...status.store.setAside.map(setAsideText),
    `delivery   ${deliveryText(status)}`,
    `commands   ${status.commands.done} done, ${status.commands.refused} refused since the start`,
    `purge      last ${timeText(status.retention.lastRunAt)}, next ${timeText(status.retention.nextRunAt)}`,
    `clock      ${clockText(status)}`,
    ...(cameras.length > 0 ? ['', ...tableLines(header, cameras)] : []),
    '',
    ...(status.warnings.length === 0 ? ['nothing needs attention'] : status.warnings.flatMap(warningLines)),
  ]
}

function countLines({ counts }: VaultStatus): string[] {
  if (!counts) return []
  const { tracks, violations, built, discarded, waiting } = counts
  return [
    `seen       ${tracks} tracks, ${violations} violations: ${built} kept, ${discarded} discarded, ${waiting} waiting`,
  ]
}

function evidenceText({ store }: VaultStatus): string {
  const oldest = store.oldestAt === null ? '' : `, oldest ${timeText(store.oldestAt)}`
  const size = `store ${sizeText(store.bytes)} of ${sizeText(store.maxBytes)}`
  return `${store.outbox} without receipt${oldest}; ${store.held} held; ${size}`
}

function setAsideText({
  name,
  bytes,
  saved,
  lost,
  unnamed,
  held,
}: VaultStatus['store']['setAside'][number]): string {
  const fate = held ? 'kept, because a legal hold is on something in it' : 'purged after 30 days'
  return `damaged    ${name}: ${saved} saved, ${lost.length + unnamed} not; set aside with ${sizeText(bytes)}, ${fate}`
}

function deliveryText({ delivery }: VaultStatus): string {
  const state = delivery.connected
    ? `connected${delivery.code ? `, the last try failed (${delivery.code})` : ''}`
    : `not connected${delivery.code ? ` (${delivery.code})` : ''}`
  const aside = delivery.setAside > 0 ? `; ${delivery.setAside} set aside` : ''
  const refused = delivery.refusedReceipts > 0 ? `; ${delivery.refusedReceipts} receipts not believed` : ''
  return `${state}; ${delivery.delivered} delivered since the start, last ${timeText(delivery.lastReceiptAt)}${aside}${refused}`
}

function clockText({ clock }: VaultStatus): string {
  const state =
    clock.synchronized === null ? 'unknown' : clock.synchronized ? 'synchronized' : 'not synchronized'
  const offset = clock.offsetMs === null ? '' : `, offset ${clock.offsetMs.toFixed(1)} ms`
  return `${state} (${clock.source})${offset}`
}

function warningLines({ code, message, hint }: VaultStatus['warnings'][number]): string[] {
  return [...wrapped(`${message} [${code}]`, '! '), ...wrapped(hint, '  ')]
}
