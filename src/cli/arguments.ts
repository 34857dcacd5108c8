import { userInfo } from 'node:os'
import { InvalidArgumentError } from 'commander'

/** Readers of what is written on the command line: each gives the value as vault takes it, or says what it should be. */

export const EXAMPLE_ID = '0f8fad5b-d9cb-469f-a165-70867728950e'

export function evidenceId(text: string): string {
  const id = text.toLowerCase()
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) {
    throw new InvalidArgumentError('It is not an evidence id; see `roadveil evidence list`.')
  }
  return id
}

/** A text as vault takes it: something, and at most so many characters. */
export function words(most: number): (text: string) => string {
  return (text) => {
    const said = text.trim()
    if (said === '') throw new InvalidArgumentError('It must say something.')
    if (said.length > most) throw new InvalidArgumentError(`It may have at most ${most} characters.`)
    return said
  }
}

/** The id of a camera or rule. */
export function slug(text: string): string {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(text)) return text
  throw new InvalidArgumentError('It must be an id of the config: small letters, digits and hyphens.')
}

/** `FROM/TO`, each ISO 8601 with its zone. */
export function timeSpan(text: string): [string, string] {
  const [from, until, ...more] = text.split('/').map((part) => {
    const isZoned = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})$/.test(part)
    return isZoned ? Date.parse(part) : NaN
  })
  if (from !== undefined && until !== undefined && more.length === 0 && from < until) {
    return [new Date(from).toISOString(), new Date(until).toISOString()]
  }
  throw new InvalidArgumentError(
    'It must be FROM/TO, with zone, FROM before TO: 2026-03-01T08:00Z/2026-03-01T09:00Z.',
  )
}

/** Who acts: with sudo, the person behind it. */
export function person(): string {
  const { SUDO_USER: sudoUser } = process.env
  return sudoUser ?? userInfo().username
}
