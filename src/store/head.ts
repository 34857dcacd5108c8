import { closeSync, existsSync, openSync, readFileSync, readSync, rmSync, statSync } from 'node:fs'
import { PAGE_BYTES, pageOpener, SALT_BYTES } from './page.ts'
import { replaceFile } from './sync.ts'
import { isWalDamaged } from './wal.ts'

/**
 * A copy of the database's first page beside it (`NAME.head`). Without the sixteen bytes at its beginning no other page can be
 * verified, and without it nobody could tell a damaged database from a wrong key.
 */

/** Pages that are tried when it is in question whether a key is the right one. */
const MAX_TRIED = 256

/** Keeps the copy, where the first page is one under this key. */
export function keepHead(file: string, key: Buffer): void {
  const first = readPage(file, 1)
  if (!first || !isFirst(first, key)) return
  try {
    replaceFile(headFile(file), first)
  } catch {
    // A full disk: the copy of before is still worth something, and the store works without.
  }
}

/** A change of key is about to put another file in its place. */
export function dropHead(file: string): void {
  rmSync(headFile(file), { force: true })
}

/** True where the database was one under this key, and its beginning is damaged. */
export function isHeadless(file: string, key: Buffer): boolean {
  if (!existsSync(file) || !existsSync(headFile(file))) return false
  const first = readPage(file, 1)
  if (first && isFirst(first, key)) return false
  const head = readPage(headFile(file), 1)
  if (!head || !isFirst(head, key)) return false
  const open = pageOpener(key, head.subarray(0, SALT_BYTES))
  const pages = Math.floor(statSync(file).size / PAGE_BYTES)
  const others = Array.from({ length: Math.min(Math.max(pages - 1, 0), MAX_TRIED) }, (_, i) => i + 2)
  // One page that this key has written with this salt is proof enough; a file that another took the place of has none.
  return (
    others.length === 0 || others.some((number) => open(readPage(file, number) ?? Buffer.alloc(0), number))
  )
}

/** The salt of the database, from its first page or the copy; undefined where neither is one under this key. */
export function findSalt(file: string, key: Buffer): Buffer | undefined {
  const firsts = [readPage(file, 1), readPage(headFile(file), 1)]
  return firsts.find((page) => page && isFirst(page, key))?.subarray(0, SALT_BYTES)
}

/** True where a log stands beside the database of which a part would be taken for its end. */
export function isLogDamaged(file: string): boolean {
  return existsSync(`${file}-wal`) && isWalDamaged(readFileSync(`${file}-wal`))
}

/** A page of a file as it lies on the disk; undefined where the file ends before. */
export function readPage(file: string, number: number): Buffer | undefined {
  if (!existsSync(file)) return undefined
  const descriptor = openSync(file, 'r')
  try {
    const page = Buffer.alloc(PAGE_BYTES)
    const read = readSync(descriptor, page, 0, PAGE_BYTES, (number - 1) * PAGE_BYTES)
    return read === PAGE_BYTES ? page : undefined
  } finally {
    closeSync(descriptor)
  }
}

function isFirst(page: Buffer, key: Buffer): boolean {
  return pageOpener(key, page.subarray(0, SALT_BYTES))(page, 1) !== undefined
}

const headFile = (file: string): string => `${file}.head`
