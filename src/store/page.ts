import { createDecipheriv, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto'

/**
 * Pages of the database file as SQLCipher 4 writes them (https://www.zetetic.net/sqlcipher/design/): AES-256-CBC, then the IV and an
 * HMAC-SHA512 over both and the page's number. To be read where the database itself cannot be opened any more.
 */

export const PAGE_BYTES = 4096
/** In the clear at the beginning of the first page; the key of the HMACs is derived with it. */
export const SALT_BYTES = 16
const IV_BYTES = 16
const MAC_BYTES = 64
/** What SQLite has of a page. */
export const USABLE_BYTES = PAGE_BYTES - IV_BYTES - MAC_BYTES
const MAC_SALT_MASK = 0x3a
const MAC_KEY_ROUNDS = 2

/** The content of a page, or undefined where it is not one that was written with this key there. */
export type OpenPage = (page: Buffer, number: number) => Buffer | undefined

export function pageOpener(key: Buffer, salt: Buffer): OpenPage {
  const masked = Buffer.from(salt.map((byte) => byte ^ MAC_SALT_MASK))
  const macKey = pbkdf2Sync(key, masked, MAC_KEY_ROUNDS, 32, 'sha512')
  return (page, number) => {
    if (page.length !== PAGE_BYTES) return undefined
    const place = Buffer.alloc(4)
    place.writeUInt32LE(number)
    const from = number === 1 ? SALT_BYTES : 0
    const mac = createHmac('sha512', macKey)
      .update(page.subarray(from, PAGE_BYTES - MAC_BYTES))
      .update(place)
      .digest()
    if (!timingSafeEqual(mac, page.subarray(PAGE_BYTES - MAC_BYTES))) return undefined
    const iv = page.subarray(USABLE_BYTES, USABLE_BYTES + IV_BYTES)
    const decipher = createDecipheriv('aes-256-cbc', key, iv).setAutoPadding(false)
    const content = decipher.update(page.subarray(from, USABLE_BYTES))
    return from === 0 ? content : Buffer.concat([page.subarray(0, from), content])
  }
}
