import type { RawFrame } from '../domain/frame.ts'

/** The frame as a mirror shows it: left is right. */
export function mirror(frame: RawFrame): RawFrame {
  const planes = frame.planes.slice()
  for (let at = 0; at < planes.length; at += frame.width) planes.subarray(at, at + frame.width).reverse()
  return { ...frame, planes }
}

/** The frame as who stands on their head sees it. */
export function turn(frame: RawFrame): RawFrame {
  const planes = frame.planes.slice()
  const size = frame.width * frame.height
  for (let at = 0; at < planes.length; at += size) planes.subarray(at, at + size).reverse()
  return { ...frame, planes }
}
