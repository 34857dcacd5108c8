import { openStore, type OpenOptions, type Store } from '../../src/store/open.ts'
import { DEVICE, storeFileIn } from './store.fixture.ts'

/** Opens a store as the vault does: one that is damaged is salvaged. */
export function openSalvaging(folder: string, at: number, change: Partial<OpenOptions> = {}): Store {
  return openStore({
    ...{ file: storeFileIn(folder), key: Buffer.alloc(32, 7), maxSizeMiB: 64, deviceId: DEVICE },
    salvage: { at },
    ...change,
  })
}
