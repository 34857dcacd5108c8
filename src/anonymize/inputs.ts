import { type BigIntStats } from 'node:fs'
import { readdir, realpath, stat } from 'node:fs/promises'
import { basename, extname, join, relative, resolve } from 'node:path'
import { RoadveilError, isRoadveilError } from '../errors.ts'
import { type Content, readContent } from './content.ts'

/** A picture or video to anonymize. */
export interface InputFile {
  readonly file: string
  /** As the report and the terminal name it: the path as it was given, or below the folder that was. */
  readonly shown: string
  /** Of its output, below the output folder. */
  readonly output: string
  readonly kind: 'still' | 'video'
  /** Changes when the file does. */
  readonly identity: string
}

/** An input that cannot be worked on. */
export interface Failure {
  readonly input: string
  readonly error: RoadveilError
}

/** Everything that was named, or lies in the folders that were. */
export interface Inputs {
  readonly files: readonly InputFile[]
  readonly failures: readonly Failure[]
  /** Files in folders that are neither picture nor video by their names, and folders that were not looked into. */
  readonly leftOut: readonly string[]
}

const STILLS = new Set(['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.webp'])
/** Pictures one after the other: they begin as a single one does. */
const JPEG_VIDEOS = new Set(['.mjpeg', '.mjpg'])
const VIDEOS = new Set(
  ['.mp4 .m4v .mov .qt .3gp .3g2 .mkv .webm .avi .wmv .asf .flv .f4v .mpg .mpeg .m2v .vob .ts .mts .m2ts']
    .concat('.ogv .mxf .dv .gif .mjpeg .mjpg .h264 .264 .h265 .265 .hevc .y4m')
    .flatMap((names) => names.split(' ')),
)

/**
 * Lists the inputs. A file that is named is always taken, also through a link; of a folder everything below it that is a picture or video by its
 * name, but no hidden file, nothing behind a linked folder and nothing in the output folder.
 *
 * @param out the output folder, which is there
 * @throws RoadveilError ERR_OUTPUT_IS_INPUT when the output folder is one of the inputs
 */
export async function findInputs(named: readonly string[], out: string): Promise<Inputs> {
  const files: InputFile[] = []
  const failures: Failure[] = []
  const leftOut: string[] = []
  const taken = new Set<string>()
  const outside = await realpath(out)

  for (const input of named) {
    const path = resolve(input)
    const found = await stat(path, { bigint: true }).catch(() => undefined)
    if (!found) {
      const error = new RoadveilError('ERR_INPUT_MISSING', 'it is not there, or may not be read')
      failures.push({ input, error })
    } else if (found.isDirectory()) {
      if ((await realpath(path)) === outside)
        throw new RoadveilError('ERR_OUTPUT_IS_INPUT', `${input} is the output folder`)
      await walk(path, '', input)
    } else if (!found.isFile()) {
      // It would never end, or wait for ever for somebody to write into it.
      const error = new RoadveilError('ERR_INPUT_NOT_A_FILE', 'it is neither a file nor a folder')
      failures.push({ input, error })
    } else {
      await take(path, input, basename(path), found)
    }
  }
  return { files, failures, leftOut }

  async function take(file: string, named: string, name: string, found: BigIntStats): Promise<void> {
    const shown = shownAs(named)
    // Named twice, by itself and by its folder, perhaps.
    if (taken.has(file)) return
    try {
      files.push({ file, shown, ...outcomeOf(name, await readContent(file)), identity: identityOf(found) })
      taken.add(file)
    } catch (error) {
      if (!isRoadveilError(error)) throw error
      failures.push({ input: shown, error })
    }
  }

  async function walk(root: string, folder: string, input: string): Promise<void> {
    const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => undefined)
    if (!entries) {
      const error = new RoadveilError('ERR_INPUT_MISSING', 'the folder may not be read')
      failures.push({ input: join(input, folder), error })
      return
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const below = join(folder, entry.name)
      const path = join(root, below)
      if (entry.isDirectory()) {
        if ((await realpath(path)) === outside) continue
        if (entry.name.startsWith('.')) leftOut.push(`${shownAs(join(input, below))}/`)
        else await walk(root, below, input)
        continue
      }
      const kind = kindOf(entry.name)
      const found = await stat(path, { bigint: true }).catch(() => undefined)
      if (entry.name.startsWith('.') || !kind || !found?.isFile()) leftOut.push(shownAs(join(input, below)))
      else await take(path, join(input, below), below, found)
    }
  }
}

/** What is made of a file. @throws RoadveilError ERR_INPUT_FORMAT */
function outcomeOf(name: string, content: Content): Pick<InputFile, 'kind' | 'output'> {
  const ending = extname(name).toLowerCase()
  if (content.kind === 'other still')
    throw new RoadveilError('ERR_INPUT_FORMAT', `it is a ${content.name} picture`)
  const isStill = content.kind === 'still' && !JPEG_VIDEOS.has(ending)
  const kind = isStill ? 'still' : (kindOf(name) ?? 'video')
  const own = kind === 'still' ? (isStill ? `.${content.format}` : ending) : '.mp4'
  // Appended, not replaced: a.mov and a.mp4 may lie in one folder. A picture keeps its name, right or wrong.
  const isNamed = kind === 'still' ? STILLS.has(ending) : ending === own
  return { kind, output: isNamed ? name : `${name}${own}` }
}

/** As a person finds it from here. */
function shownAs(path: string): string {
  return relative('', path) || path
}

/** What a file is by its name. */
function kindOf(name: string): InputFile['kind'] | undefined {
  const ending = extname(name).toLowerCase()
  return STILLS.has(ending) ? 'still' : VIDEOS.has(ending) ? 'video' : undefined
}

/** Size and time of the last change, as rsync compares files. */
export function identityOf({ size, mtimeNs }: Pick<BigIntStats, 'size' | 'mtimeNs'>): string {
  return `${size} bytes, changed ${mtimeNs}`
}
