import type { Rule, Zone } from '../domain/rule.ts'
import type { ConfigFile } from './schema.ts'

/**
 * The config as the rooms take it: checked, file names absolute, times in milliseconds, zones and rules as domain values.
 * It holds no secret: keys and credentials are read from their files by the process that needs them, when it needs them.
 */
export interface Config extends Omit<ConfigFile, 'cameras'> {
  /** SHA-256 of the config file's bytes, lower-case hex. */
  readonly sha256: string
  readonly cameras: readonly CameraConfig[]
}

export interface CameraConfig {
  readonly id: string
  /** rtsp(s)://host…, without credentials, or file:ABSOLUTE-PATH. */
  readonly url: string
  readonly credentialsFile?: string
  readonly replay: 'realtime' | 'fast'
  /** Capture time of a recording's first frame. */
  readonly replayStartsAt?: number
  readonly analysisFps: number
  readonly preRollMs: number
  readonly timeZone: string
  readonly zones: readonly Zone[]
  readonly rules: readonly Rule[]
}
