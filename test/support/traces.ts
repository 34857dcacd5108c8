import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { commandLines } from '../camera/cameras.ts'

/** Looks for what processes leave behind: on the disk, in their command lines, in the files that they write. */

export interface ProcessLine {
  readonly pid: number
  readonly line: string
}

/** All processes below one, itself included. */
export function processTree(root: number): ProcessLine[] {
  const all = commandLines()
  const found = all.filter(({ pid }) => pid === root)
  for (const { pid } of found) found.push(...all.filter(({ parent }) => parent === pid))
  return found
}

export function isRunning({ pid, line }: ProcessLine): boolean {
  return commandLines().some((each) => each.pid === pid && each.line === line)
}

/** What a process was started with: arguments and environment. */
export function startedWith(pid: number): string {
  return ['cmdline', 'environ']
    .map((name) => readOrEmpty(`/proc/${pid}/${name}`).toString('latin1'))
    .join('\n')
}

/** The files that a process may write to, deleted ones included; no sockets, pipes or devices. */
export function writableFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`
  return namesOf(folder).flatMap((descriptor) => {
    try {
      const target = readlinkSync(join(folder, descriptor))
      const flags = /^flags:\s+0?(\d+)/m.exec(readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8'))?.[1]
      const isWritable = (Number.parseInt(flags ?? '0', 8) & 3) !== 0
      return isWritable && target.startsWith('/') && !target.startsWith('/dev/') ? [target] : []
    } catch {
      return []
    }
  })
}

/** Every file below a folder. */
export function filesBelow(folder: string): { readonly name: string; readonly bytes: Buffer }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((name) => ({ name, bytes: readOrEmpty(name) }))
}

/** Which of the words stand in a file or text, as they are or as a URL would have them. */
export function wordsIn(bytes: Buffer, words: readonly string[]): string[] {
  return words.filter((word) => bytes.includes(word) || bytes.includes(encodeURIComponent(word)))
}

/** What no file of a box may hold: marks of pictures and video, long enough not to stand in ciphertext by chance. */
const PICTURE_MARKS = {
  jpeg: [Buffer.from('ffd8ffe000104a46', 'hex'), Buffer.from('ffd8ffdb004300', 'hex')],
  png: [Buffer.from('89504e470d0a1a0a', 'hex')],
  mp4: ['isom', 'iso5', 'iso6', 'mp42', 'avc1'].map((brand) => Buffer.from(`ftyp${brand}`)),
  matroska: [Buffer.from('B\x82\x88matroska', 'latin1')],
  h264: [Buffer.from('00000001676400', 'hex')],
} as const

/** The kinds of picture or video whose marks stand in a file. */
export function picturesIn(bytes: Buffer): string[] {
  return Object.entries(PICTURE_MARKS)
    .filter(([, marks]) => marks.some((mark) => bytes.includes(mark)))
    .map(([kind]) => kind)
}

function namesOf(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** A file that is gone by now is empty. */
function readOrEmpty(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    return Buffer.alloc(0)
  }
}
