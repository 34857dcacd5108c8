/** Codes, what to do about each, and the exit code of a command that ends with it: 1 failed (default), 2, 3 or 4. */
export type ErrorEntries = Readonly<Record<string, { readonly hint: string; readonly exit?: 1 | 2 | 3 | 4 }>>
