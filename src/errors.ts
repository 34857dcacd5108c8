/**
 * The registry of error codes: every failure that Roadveil reports carries one of these codes and its hint.
 *
 * `exit` is the CLI's exit code when the error ends a command: 1 failed (default), 2 usage, 3 bad config,
 * 4 daemon not reachable. A hint tells the reader what to do, never what they did wrong.
 */
export const ERRORS = {
  // any room
  ERR_INTERNAL: {
    hint: 'This is a fault of Roadveil itself; report it with the version and the log lines around it.',
  },

  // config/
  ERR_CONFIG_MISSING: {
    exit: 3,
    hint: 'Create a config with `roadveil init`, or name one with --config FILE.',
  },
  ERR_CONFIG_SYNTAX: { exit: 3, hint: 'Mend the YAML at the line shown, then run `roadveil check`.' },
  ERR_CONFIG_INVALID: {
    exit: 3,
    hint: 'Mend every line listed, then run `roadveil check`; config/reference.md explains each key.',
  },
  ERR_SECRET_FILE: {
    exit: 3,
    hint: 'The file must exist, belong to the user that runs Roadveil, and have mode 0600.',
  },

  // camera/
  ERR_CAMERA_UNREACHABLE: {
    hint: 'Check cable, address and port: open the camera URL from this machine with ffprobe.',
  },
  ERR_CAMERA_UNAUTHORIZED: { hint: "Check user and password in the camera's credentials file." },
  ERR_CAMERA_STALLED: { hint: 'The camera sent nothing usable for too long; check its network and bitrate.' },
  ERR_CAMERA_GARBAGE: { hint: 'The camera sends no video that ffmpeg can decode; set it to H.264 or H.265.' },
  ERR_CAMERA_ENDED: { hint: 'The stream ended; a camera is reconnected by itself.' },
  ERR_FFMPEG_MISSING: { hint: 'Install ffmpeg 5.1 or newer: apt-get install ffmpeg.' },
  ERR_PACKETS_GONE: {
    hint: 'The video of that time is no longer in memory; raise preRollSeconds of the camera.',
  },

  // detection/
  ERR_MODEL_MISSING: { hint: 'Fetch the models with `roadveil models pull`.' },
  ERR_MODEL_HASH: {
    hint: 'The file is not the one in the manifest; fetch it again with `roadveil models pull`.',
  },
  ERR_MODEL_SHAPE: {
    hint: "The network's inputs or outputs are not what its manifest entry says; use the pinned file.",
  },
  ERR_MODEL_MANIFEST: { hint: 'Restore models/manifest.json from the release.' },
  ERR_MODEL_DOWNLOAD: {
    hint: 'Check the network and try again, or copy the file into the models folder by hand.',
  },
  ERR_DETECTION_FAILED: {
    hint: 'Nothing of this frame is kept. If it repeats, restart and check the models with `roadveil models list`.',
  },

  // privacy/, plates/, evidence/
  ERR_REDACTION_UNCHECKED: {
    hint: 'Nothing of this violation was kept, because a frame could not be checked for faces and plates.',
  },
  ERR_EVIDENCE_INCOMPLETE: {
    hint: 'The video that this violation needs was not complete; nothing was kept.',
  },
  ERR_ENCODE_FAILED: { hint: 'Check that ffmpeg has libx264 (ffmpeg -encoders) and that memory is free.' },

  // channel/
  ERR_CHANNEL_VERSION: {
    hint: 'vision and vault come from different versions; install one version and restart both.',
  },
  ERR_CHANNEL_MESSAGE: {
    hint: 'The other process sent something that is not in the protocol; restart both from one version.',
  },
  ERR_CHANNEL_CLOSED: { hint: 'The other process is gone; it is reconnected by itself.' },
  ERR_CHANNEL_BUSY: { hint: 'Stop the other roadveil process that uses this runtime directory.' },

  // cli/
  ERR_USAGE: { exit: 2, hint: 'Run `roadveil --help`, or `roadveil VERB --help` for one verb.' },
  ERR_VAULT_UNREACHABLE: {
    exit: 4,
    hint: 'Start Roadveil (`roadveil run`), and ask as the user that runs it with the same config.',
  },
  ERR_ALREADY_THERE: {
    hint: 'Nothing was overwritten: name an empty folder, or move the old files away first.',
  },
} as const satisfies Record<string, { readonly hint: string; readonly exit?: 1 | 2 | 3 | 4 }>

export type ErrorCode = keyof typeof ERRORS

/** A failure with a registered code. `message` says what happened in one line and holds no personal data and no secret. */
export class RoadveilError extends Error {
  override readonly name = 'RoadveilError'
  readonly code: ErrorCode

  constructor(code: ErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
  }

  /** What the reader can do about it. */
  get hint(): string {
    return ERRORS[this.code].hint
  }

  /** The CLI's exit code for this failure. */
  get exitCode(): 1 | 2 | 3 | 4 {
    const entry = ERRORS[this.code]
    return 'exit' in entry ? entry.exit : 1
  }
}

/** True for an error of ours, with the code given or with any. */
export function isRoadveilError(error: unknown, code?: ErrorCode): error is RoadveilError {
  return error instanceof RoadveilError && (code === undefined || error.code === code)
}
