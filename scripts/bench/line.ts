/** Prints one line of a bench's table: what was measured, and the value. */
export function line(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(54)}${value}\n`)
}
