/** Names of the matrices that make brightness and colours of red, green and blue, as ffmpeg's streams have them and as its scaler does. */
export const MATRICES = {
  bt709: 'bt709',
  smpte170m: 'smpte170m',
  bt470bg: 'bt470',
  smpte240m: 'smpte240m',
  fcc: 'fcc',
  bt2020nc: 'bt2020',
} as const
export type Matrix = keyof typeof MATRICES

/** False for a matrix that is not known, or for none. */
export function isMatrix(name: string | undefined): name is Matrix {
  return name !== undefined && Object.hasOwn(MATRICES, name)
}

/** Their numbers: ITU-T H.273, table 4. */
const NUMBERS: Readonly<Record<number, Matrix>> = {
  1: 'bt709',
  4: 'fcc',
  5: 'bt470bg',
  6: 'smpte170m',
  7: 'smpte240m',
  9: 'bt2020nc',
}

/** The matrix of this number, where it is known. */
export function matrixOf(number: number | undefined): Matrix | undefined {
  return number === undefined ? undefined : NUMBERS[number]
}

/** What players take a video for that does not say. */
export function usualMatrix(height: number): Matrix {
  return height >= 720 ? 'bt709' : 'smpte170m'
}
