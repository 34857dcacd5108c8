import type { Config } from '../../../src/config/config.ts'
import { openStore, type Store } from '../../../src/store/open.ts'
import { settleRotation } from '../../../src/vault/key-change.ts'
import { loadStoreKeys, openWith } from '../../../src/vault/keys.ts'
import { keptLog } from '../../support/kept-log.ts'

/** Opens a box's store with its keys, and ends a change of keys that was interrupted. */
export function openAsVault(config: Config): Store {
  const keys = loadStoreKeys(config, {})
  const { file, maxSizeMiB } = config.store
  const { opened, key } = openWith(keys, (key) =>
    openStore({ file, key, maxSizeMiB, deviceId: config.device.id }),
  )
  settleRotation(config, { ...keys, key, env: {}, logger: keptLog() })
  return opened
}
