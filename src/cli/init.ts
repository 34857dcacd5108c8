import { hostname } from 'node:os'
import type { Command } from 'commander'
import { jsonOption } from './options.ts'
import type { Output } from './output.ts'

/** `roadveil init`: keys and a commented config for a box; with --trial a whole city beside it. */
export function addInit(program: Command, output: Output): void {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions()
  program
    .command('init')
    .argument('<folder>', 'a folder that is empty or not there yet')
    .summary("make a box's keys and a commented config")
    .description(
      'Makes the keys of a box and a commented roadveil.yaml. With --trial it also makes what a city has: a ' +
        "certificate authority, a broker's config, and the receiver's keys and config. Overwrites nothing.",
    )
    .option('--trial', 'make broker, city and certificates too, for a trial on this machine')
    .option('--site <id>', 'name of the site', 'site-1')
    .option('--device <id>', 'name of the box', ownName())
    .option('--time-zone <zone>', 'time zone of the site', timeZone)
    .option('--camera <url>', 'the camera, without user and password', 'rtsp://192.168.1.10:554/stream1')
    .option('--broker-host <host>', "the broker's host name or address", 'localhost')
    .option('--broker-port <port>', "the broker's port", '8883')
    .option('--topic-prefix <prefix>', 'what every topic begins with', 'roadveil')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      '\nExample:\n  roadveil init box --site main-street --device box-1 --time-zone Europe/Berlin',
    )
    .action(async (folder: string, raw: Readonly<Record<string, unknown>>) => {
      const { parseInitOptions } = await import('./init-options.ts')
      const { initBox, initTrial } = await import('./init-folders.ts')
      const options = parseInitOptions(raw)
      await (options.trial ? initTrial : initBox)(folder, options, output)
    })
}

/** The machine's name, as far as it can be a device id. */
function ownName(): string {
  const [name = ''] = hostname().toLowerCase().split('.')
  return (
    name
      .replace(/[^a-z0-9-]+/g, '-')
      .replace(/^-+/, '')
      .slice(0, 63) || 'box-1'
  )
}
