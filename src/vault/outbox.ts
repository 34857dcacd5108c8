import type { EpochMs } from '../domain/frame.ts'
import type { Store } from '../store/open.ts'
import type { Outbox } from '../store/outbox.ts'

/** The store's outbox, which remembers when the city last let something go. */
export interface VaultOutbox extends Outbox {
  readonly lastReceiptAt: EpochMs | undefined
}

export function createOutbox({ outbox }: Pick<Store, 'outbox'>): VaultOutbox {
  let lastReceiptAt: EpochMs | undefined
  return {
    ...outbox,
    settle(receipt, at) {
      const settlement = outbox.settle(receipt, at)
      lastReceiptAt = at
      return settlement
    },
    get lastReceiptAt() {
      return lastReceiptAt
    },
  }
}
