import { Argument, type Command } from 'commander'
import { readConfig } from './config.ts'
import { configOption, jsonOption } from './options.ts'
import type { Output } from './output.ts'

interface KeyOptions {
  readonly config: string
  readonly json?: true
}
interface RewrapCliOptions extends KeyOptions {
  readonly newDeviceKey?: true
  readonly alsoFor?: string
  readonly identity?: string
}

/** `roadveil key rotate|rewrap|export-public`: the keys of the box. No key is ever an argument or an answer but a public one. */
export function addKey(program: Command, output: Output): void {
  const key = program
    .command('key')
    .summary('change keys, or show the public one')
    .helpCommand(false)
    .description(
      'The keys of this box. Stop Roadveil before one is changed; config/keys.md says what each is for.',
    )
  addRotate(key, output)
  addRewrap(key, output)
  addExport(key, output)
}

function addRotate(key: Command, output: Output): void {
  key
    .command('rotate')
    .addArgument(new Argument('<which>', 'the key').choices(['database', 'signing']))
    .summary('put a new database or signing key in place of the old one')
    .description(
      'Makes a new key. database: encrypts a copy of the store anew, which needs twice its ' +
        'size on the disk meanwhile. signing: the old key endorses the new one, and the city accepts it by that. It can be interrupted ' +
        'at any moment.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil key rotate database --config /etc/roadveil/roadveil.yaml')
    .action(async (which: 'database' | 'signing', { config: file, json }: KeyOptions) => {
      const box = await keyBox(file)
      const { rotateDatabaseKey, rotateSigningKey } = await import('../vault/key-change.ts')
      const rotated = which === 'database' ? await rotateDatabaseKey(box) : rotateSigningKey(box)
      if (json) output.json({ key: which, ...rotated })
      else output.answer(`the ${which} key ${rotated.keyId} has taken the place of ${rotated.previousKeyId}`)
    })
}

function addRewrap(key: Command, output: Output): void {
  key
    .command('rewrap')
    .summary('wrap the database key anew for device and recovery key')
    .description(
      'Wraps the same database key for the device key and the recovery recipient that the config names now. Makes a ' +
        'device key where there is none, and wraps a database key that lay there as it was.',
    )
    .option('--new-device-key', 'make a new device key, too')
    .option(
      '--also-for <file>',
      'wrap for the device key in this file besides, before it becomes the credential',
    )
    .option('--identity <file>', "open it with the city's recovery identity: the device key is lost")
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil key rewrap --new-device-key')
    .action(async ({ config: file, json, ...options }: RewrapCliOptions) => {
      const box = await keyBox(file)
      const { rewrapDatabaseKey } = await import('../vault/key-change.ts')
      const { identity, ...rest } = options
      const opened = identity === undefined ? {} : { identity: await readIdentity(identity) }
      const rewrapped = await rewrapDatabaseKey(box, { ...rest, ...opened })
      if (json) output.json(rewrapped)
      else {
        const { keyId, deviceKeyIds, recovery } = rewrapped
        const wraps = `the device key ${deviceKeyIds.join(' and ')} and the recovery recipient ${recovery}`
        output.answer(`the database key ${keyId} is wrapped for ${wraps}`)
      }
    })
}

function addExport(key: Command, output: Output): void {
  key
    .command('export-public')
    .summary("print this box's public key, for the city's devices folder")
    .description(
      'Prints the public half of the signing key in PEM, and its id on stderr. The city keeps it as DEVICE.pem and ' +
        'compares the id with the one that is read to it by another way.',
    )
    .addOption(configOption())
    .addOption(jsonOption())
    .addHelpText('after', '\nExample:\n  roadveil key export-public > box-1.pem')
    .action(async ({ config: file, json }: KeyOptions) => {
      const { config, env } = await keyBox(file)
      const { exportPublicKey } = await import('../vault/keys.ts')
      const { keyId, publicKey } = exportPublicKey(config, env)
      const device = config.device.id
      if (json) output.json({ device, keyId, publicKey })
      else {
        for (const line of publicKey.trimEnd().split('\n')) output.answer(line)
        output.note(`the key of ${device} has the id ${keyId}`)
      }
    })
}

async function keyBox(file: string) {
  return { config: await readConfig(file, 'cli'), env: process.env, at: Date.now() }
}

async function readIdentity(file: string): Promise<string> {
  const { loadSecret } = await import('../sealing/secret.ts')
  const { parseIdentityFile } = await import('../sealing/identity.ts')
  const { identity } = await parseIdentityFile(loadSecret({ name: 'none', file, env: {} }).toString())
  return identity
}
