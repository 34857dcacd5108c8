import type { Dice } from './dice.ts'

/** Strings that parsers have stumbled over. */
const NASTY = [
  ...['', '..', '../../etc/passwd', '/', '%2e%2e%2f', 'a\0b', '\u202e', '\ud800', '+', '#', '$SYS/x'],
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    '-0',
    '1e999',
    'NaN',
    'null',
    '[]',
    '{}',
    '9'.repeat(400),
  ],
] as const
const NUMBERS = [0, -1, -0, 0.5, 2 ** 31, 2 ** 53, -(2 ** 63), 1e308] as const

/** Bytes like these, damaged: flipped, cut, doubled, or put together anew. */
export function damage(bytes: Uint8Array, dice: Dice): Buffer {
  const damaged = Buffer.from(bytes)
  switch (dice.between(0, 4)) {
    case 0: {
      for (let flips = dice.between(1, 8); flips > 0 && damaged.length > 0; flips--) {
        const at = dice.between(0, damaged.length - 1)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << dice.between(0, 7))
      }
      return damaged
    }
    case 1:
      return damaged.subarray(0, dice.between(0, damaged.length))
    case 2:
      return Buffer.concat([damaged, dice.bytes(dice.between(1, 64))])
    case 3: {
      const from = dice.between(0, damaged.length)
      return Buffer.concat([
        damaged.subarray(0, from),
        dice.bytes(dice.between(1, 16)),
        damaged.subarray(from),
      ])
    }
    default:
      return dice.bytes(dice.between(0, 300))
  }
}

/** A JSON value like this one with one thing in it changed, left out, added or of another type. */
export function warp(value: unknown, dice: Dice): unknown {
  if (Array.isArray(value) && value.length > 0 && dice.chance(0.8)) {
    const at = dice.between(0, value.length - 1)
    const items = value as unknown[]
    if (dice.chance(0.2)) return items.filter((_, index) => index !== at)
    if (dice.chance(0.1)) return Array.from({ length: 3000 }, () => items[at])
    return items.map((item, index) => (index === at ? warp(item, dice) : item))
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && dice.chance(0.9)) {
    const entries = Object.entries(value)
    const at = dice.between(0, Math.max(0, entries.length - 1))
    const changed = entries.flatMap(([key, item], index): [string, unknown][] => {
      if (index !== at) return [[key, item]]
      if (dice.chance(0.15)) return []
      if (dice.chance(0.15)) return [[dice.pick(NASTY), item]]
      return [[key, warp(item, dice)]]
    })
    if (dice.chance(0.2))
      changed.push(['__proto__', { polluted: true }], ['constructor', { prototype: { polluted: true } }])
    // From text, where __proto__ is a key like any other, as an attacker's message has it.
    return JSON.parse(
      `{${changed.map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item)}`).join(',')}}`,
    )
  }
  return dice.pick<unknown>([
    dice.pick(NASTY),
    dice.pick(NUMBERS),
    null,
    true,
    [],
    {},
    [[[[]]]],
    { length: 1e9 },
  ])
}

/** A topic like this one: a level changed, left out, doubled or nasty. */
export function bend(topic: string, dice: Dice): string {
  const levels = topic.split('/')
  const at = dice.between(0, levels.length - 1)
  switch (dice.between(0, 3)) {
    case 0:
      return levels.filter((_, index) => index !== at).join('/')
    case 1:
      return levels.flatMap((level, index) => (index === at ? [level, level] : [level])).join('/')
    case 2:
      return damage(Buffer.from(topic), dice).toString()
    default:
      return levels.map((level, index) => (index === at ? dice.pick(NASTY) : level)).join('/')
  }
}
