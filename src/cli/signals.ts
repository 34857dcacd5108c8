/** Turns SIGTERM, SIGINT and SIGHUP into an AbortSignal; a second one ends the process at once. */
export function stopSignals(): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController()
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(1)
    controller.abort()
  }
  for (const name of names) process.on(name, onSignal)
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const name of names) process.off(name, onSignal)
    },
  }
}
