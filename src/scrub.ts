/**
 * Takes credentials out of URLs in a text: `rtsp://user:secret@host/` becomes `rtsp://***@host/`. Some cameras take
 * them as parameters, `password=secret`: those go, too.
 *
 * Greedy on purpose: a password may hold `/`, `:` and `@`, so everything up to the last `@` of the word goes. A text that
 * is too long to be looked at is not returned at all.
 */
export function scrubCredentials(text: string): string {
  if (text.length > 4096) return '[text too long]'
  return text
    .replace(/\/\/[^\s"'<>]*@/g, '//***@')
    .replace(/\b(pass(?:word|wd)?|pwd|token|secret)=[^&\s"'<>]*/gi, '$1=***')
}

/** The text on one line without control characters, so that it can neither break a log line nor steer a terminal. */
export function singleLine(text: string, maxLength: number): string {
  // eslint-disable-next-line no-control-regex -- control characters are what this is about
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, ' ').trim()
  return line.length <= maxLength ? line : `${line.slice(0, maxLength - 1)}…`
}

/** Control characters, and those that turn the direction of writing or end a line. */
// eslint-disable-next-line no-control-regex -- control characters are what this is about
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

/**
 * The text with everything that could steer a terminal or pass for another line written out, as JSON writes it: file names and
 * what else comes from outside may hold anything. JSON stays JSON that means the same.
 */
export function visible(text: string): string {
  return text.replace(UNSEEN, (character) => {
    const short = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character]
    return short ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}
