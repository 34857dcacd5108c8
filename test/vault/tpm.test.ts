import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { openStore } from '../../src/store/open.ts'
import { rewrapDatabaseKey } from '../../src/vault/key-change.ts'
import { loadStoreKeys, openWith } from '../../src/vault/keys.ts'
import { boxConfig, brokerlessTrial } from '../support/box.ts'
import { shortFolder } from '../support/short-folder.ts'
import { startTpm, tpmIsLacking } from '../support/tpm.ts'

/** What config/keys.md says about a device key that a TPM guards, done with systemd's program and a TPM in software. */

const names = { site: 'main-street', device: 'box-1' }
const skip = (await tpmIsLacking()) ?? false

await t.test(
  'a device key that a TPM guards opens the store on this box, and on no other',
  { skip },
  async (t) => {
    const folder = await shortFolder(t)
    const config = boxConfig(await brokerlessTrial(folder, names), names)
    const { device, ...rest } = config
    const { keyFile = '', ...others } = device
    const guarded = { ...rest, device: others }
    const open = (env: Record<string, string>, of: typeof guarded = guarded): void => {
      const { file, maxSizeMiB } = config.store
      openWith(loadStoreKeys(of, env), (key) =>
        openStore({ file, key, maxSizeMiB, deviceId: names.device }),
      ).opened[Symbol.dispose]()
    }
    open({}, config)

    await using chip = await startTpm()
    const [next, encrypted] = [join(folder, 'next.key'), join(folder, 'device-key.cred')]
    writeFileSync(next, randomBytes(32), { mode: 0o600 })
    await rewrapDatabaseKey({ config, env: {}, at: Date.now() }, { alsoFor: next })
    await chip.encrypt('device-key', next, encrypted)
    t.notOk(readFileSync(encrypted).includes(readFileSync(next)))
    rmSync(next)
    rmSync(keyFile)
    t.throws(() => open({}), { code: 'ERR_SECRET_FILE' }, 'what lies on the disk does not open it')

    // As systemd makes it: readable to the service only, and gone with it.
    const credentials = join(folder, 'credentials')
    mkdirSync(credentials, { mode: 0o700 })
    const credential = join(credentials, 'device-key')
    await chip.decrypt('device-key', encrypted, credential)
    chmodSync(credential, 0o440)
    const env = { CREDENTIALS_DIRECTORY: credentials }
    open(env)
    await rewrapDatabaseKey({ config: guarded, env, at: Date.now() }, {})
    open(env)

    rmSync(credential)
    await using another = await startTpm()
    await t.rejects(another.decrypt('device-key', encrypted, credential))
    t.throws(() => open(env), { code: 'ERR_SECRET_FILE' })
  },
)
