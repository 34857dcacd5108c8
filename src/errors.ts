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
    hint: 'Mend every line listed; `roadveil check` looks at roadveil.yaml again, and config/reference.md explains each key.',
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
  ERR_FFMPEG_MISSING: { hint: 'Install ffmpeg 5.1 or newer: apt-get install ffmpeg util-linux.' },
  ERR_FRAME_TOO_LARGE: { hint: 'Set the camera to 3840x2160 or less.' },
  ERR_DECODE_FAILED: {
    hint: 'The video was damaged on its way; nothing of it is kept. Check the network to the camera.',
  },
  ERR_PACKETS_GONE: {
    hint: 'The video of that time is no longer in memory; raise preRollSeconds of the camera.',
  },

  // detection/
  ERR_MODEL_MISSING: { hint: 'Restore the folder models from the release.' },
  ERR_MODEL_HASH: {
    hint: 'The file is not the one in the manifest; restore it from the release.',
  },
  ERR_MODEL_SHAPE: {
    hint: "The network's inputs or outputs are not what its manifest entry says; use the pinned file.",
  },
  ERR_MODEL_MANIFEST: { hint: 'Restore models/manifest.json from the release.' },
  ERR_MODEL_DOWNLOAD: {
    hint: 'Check the network and try again, or copy the file into the folder by hand.',
  },
  ERR_DETECTION_FAILED: {
    hint: 'Nothing of this frame is kept. If it repeats, restart and check the models with `roadveil models list`.',
  },

  // privacy/, plates/, evidence/
  ERR_REDACTION_UNCHECKED: {
    hint: 'Nothing of this violation was kept, because a frame could not be checked for faces and plates.',
  },
  ERR_REDACTION_UNVERIFIED: {
    hint: 'Nothing of this was kept, because faces or plates were found again after redaction. If it repeats, run `roadveil selftest`.',
  },
  ERR_EVIDENCE_INCOMPLETE: {
    hint: 'The video that this violation needs was not complete; nothing was kept.',
  },
  ERR_EVIDENCE_TIMEOUT: {
    hint: 'The machine is too slow or too busy to redact a clip; analyse fewer cameras or frames per second.',
  },
  ERR_EVIDENCE_OVERLOAD: {
    hint: 'Violations come faster than they can be redacted; check the zones and rules with `roadveil check`, or use fewer cameras.',
  },
  ERR_STOPPED: {
    hint: 'Nothing to do: Roadveil was stopped while this violation waited for its turn, and raw video is never kept.',
  },
  ERR_ENCODE_FAILED: { hint: 'Check that ffmpeg has libx264 (ffmpeg -encoders) and that memory is free.' },

  // anonymize/
  ERR_INPUT_MISSING: { hint: 'Check the path, and that the user that runs Roadveil may read what is there.' },
  ERR_INPUT_UNREADABLE: {
    hint: 'Nothing was written for it, since damage hides faces from whoever looks for them; get the file again from where it came.',
  },
  ERR_INPUT_ANIMATED: {
    hint: 'Make a video of it first (ffmpeg -i FILE FILE.mp4), and anonymize that.',
  },
  ERR_INPUT_TOO_LARGE: {
    hint: 'Pictures may have 100 megapixels and 256 MiB, videos 3840x2160; scale it down first.',
  },
  ERR_OUTPUT_IS_INPUT: { hint: 'Name another folder with --out: originals are never overwritten.' },
  ERR_OUTPUT_UNWRITABLE: {
    hint: 'Check that the folder named with --out and that of the report are writable and have space, then run the same command again.',
  },
  ERR_ANONYMIZE_STOPPED: { hint: 'What is finished stays; run the same command again to go on.' },
  ERR_ANONYMIZE_FAILED: {
    hint: 'config/errors.md says what to do about each code; run the same command again, and only what failed is done again.',
  },

  // vision/
  ERR_SELFTEST_SCENE: { hint: 'Restore models/selftest from the release.' },
  ERR_SELFTEST_FAILED: {
    hint: 'Nobody is enforced against with these networks: run `roadveil selftest`, and put those of the release back.',
  },

  // protocol/
  ERR_TOPIC: {
    hint: 'The topic is not one of the protocol; check topicPrefix on both sides and who may write there.',
  },
  ERR_MESSAGE: { hint: 'The message is not one of the protocol; install the same version on both sides.' },
  ERR_BROKER_UNREACHABLE: {
    hint: 'Check the host and port in broker.url and that the broker runs; it is tried again by itself.',
  },
  ERR_BROKER_TLS: {
    hint: "The broker's certificate must be signed by broker.caFile and name the host in broker.url; the broker must speak TLS 1.3.",
  },
  ERR_BROKER_REFUSED: {
    hint: "The broker does not accept this client: check certificateFile, keyFile, their expiry, and the broker's rights list.",
  },
  ERR_BROKER_LOST: { hint: 'The connection to the broker broke; it is made again by itself.' },
  ERR_PUBLISH_REFUSED: {
    hint: 'The broker refused the message: check that its rights list lets this client write below its own topic.',
  },
  ERR_PUBLISH_TIMEOUT: {
    hint: 'The broker did not acknowledge in time; the message is sent again by itself.',
  },
  ERR_MESSAGE_TOO_LARGE: {
    hint: "Raise the broker's maximum packet size (mosquitto: max_packet_size) to at least 131072.",
  },

  // delivery/
  ERR_RECEIPT_MISSING: {
    hint: 'The city did not answer; check that its receiver runs. It is asked again by itself.',
  },
  ERR_EVIDENCE_REJECTED: {
    hint: 'The city set the evidence aside: see the reason there (quarantine/), mend it, and it is sent again by itself.',
  },
  ERR_DELIVERY_STALLED: { hint: 'The city keeps asking for the same parts; see the log of its receiver.' },

  // receiver/
  ERR_DEVICE_UNKNOWN: { hint: "Put the device's public key into the devices folder as DEVICE.pem." },
  ERR_MANIFEST_MISMATCH: {
    hint: 'The signed manifest is not about the site, device and evidence of its topic; someone may be replaying messages.',
  },
  ERR_CHUNK_CHANGED: {
    hint: 'The part is not the one that the device signed; it is asked for again by itself.',
  },
  ERR_CHUNK_UNEXPECTED: { hint: 'The part belongs to no evidence that was announced; it was ignored.' },
  ERR_ASSEMBLY_LIMIT: {
    hint: 'Too much half-received evidence is waiting; it is asked for again once the rest is complete or expired.',
  },
  ERR_AUDIT_ROLLED_BACK: {
    hint: "The box runs on an old copy of its database: find out who put it back, and run `roadveil audit verify --checkpoint` there with the alarm's witnessed.dsse.json.",
  },
  ERR_AUDIT_FORKED: {
    hint: "Tell the privacy officer, and run `roadveil audit verify --checkpoint` on the box with the alarm's witnessed.dsse.json: it says where the log went another way.",
  },
  ERR_AUDIT_REPLACED: {
    hint: 'Check that a new database was meant, for example after damage; if not, tell the privacy officer.',
  },
  ERR_AUDIT_GAP: {
    hint: "Too many checkpoints were missed to tell: run `roadveil audit verify --checkpoint` on the box with the alarm's witnessed.dsse.json.",
  },
  ERR_OUTPUT_FAILED: {
    hint: 'Check that the output folder is writable and has space; the evidence stays on the box.',
  },

  // trial/
  ERR_TRIAL_EXISTS: {
    hint: 'Name an empty folder, or delete the one of the earlier trial; its keys are then gone for good.',
  },
  ERR_TRIAL_NAME: {
    hint: "Use lower-case letters, digits and hyphens, and not the name receiver, which is the city's.",
  },

  // channel/
  ERR_CHANNEL_VERSION: {
    hint: 'vision and vault come from different versions; install one version and restart both.',
  },
  ERR_CHANNEL_MESSAGE: {
    hint: 'The other process sent something that is not in the protocol; restart both from one version.',
  },
  ERR_CHANNEL_CLOSED: { hint: 'The other process is gone; it is reconnected by itself.' },
  ERR_CHANNEL_BUSY: { hint: 'Stop the other roadveil process that uses this runtime directory.' },
  ERR_CHANNEL_CONFIG: {
    hint: 'vision and vault were started with different configs; restart both with the same one.',
  },
  ERR_RUNTIME_DIRECTORY: {
    exit: 3,
    hint: 'Set runtimeDirectory to a short path of a folder that belongs to the user that runs Roadveil and has mode 0700.',
  },
  ERR_VAULT_UNREACHABLE: {
    exit: 4,
    hint: 'Start Roadveil (`roadveil run`), and ask as the user that runs it with the same config.',
  },
  ERR_CONTROL_REQUEST: {
    hint: 'The command and the running vault come from different versions; restart the vault.',
  },

  // health/
  ERR_STORE_NEARLY_FULL: {
    hint: 'Get delivery going again, release legal holds that are no longer needed, or raise store.maxSizeMiB.',
  },
  ERR_VISION_GONE: { hint: 'Nothing is being watched. Look in the log of vision for why it stopped.' },
  ERR_CAMERA_DOWN: { hint: 'Look in the log of vision for this camera; it is reconnected by itself.' },
  ERR_BACKLOG_OLD: {
    hint: 'Check the broker and that the receiver of the city runs; the evidence is kept until it answers.',
  },
  ERR_CERTIFICATE_UNREADABLE: { hint: 'The file must hold a certificate in PEM that Roadveil may read.' },
  ERR_CERTIFICATE_EXPIRY: {
    hint: 'Get a new certificate from the city, put it in place of the old one and restart vault.',
  },
  ERR_CLOCK_UNSYNCHRONIZED: {
    hint: 'Run chrony or systemd-timesyncd against a time server that the box can reach; evidence names the state of the clock.',
  },

  // vault/
  ERR_EVIDENCE_INVALID: {
    hint: 'Nothing of it was kept, because it does not match its own facts; restart vision and vault from one version.',
  },

  // cli/
  ERR_USAGE: { exit: 2, hint: 'Run `roadveil --help`, or `roadveil VERB --help` for one verb.' },
  ERR_ALREADY_THERE: {
    hint: 'Nothing was overwritten: name an empty folder, or move the old files away first.',
  },

  // sealing/
  ERR_KEY_INVALID: {
    hint: 'Signing keys are Ed25519 in PEM, a device key is 32 bytes, age recipients begin with age1; config/keys.md says how to make new ones.',
  },
  ERR_KEY_EXISTS: {
    hint: 'A key is never overwritten: move the old file away first, if nothing needs it any more.',
  },
  ERR_KEY_WRAP: {
    hint: "Put the device key in place that the database key was wrapped for, or wrap it anew with the city's recovery identity: `roadveil key rewrap --identity`.",
  },
  ERR_KEY_PLAIN: {
    hint: 'Name a device.keyFile in the config, stop Roadveil and run `roadveil key rewrap`: it wraps the key, and makes a device key if there is none.',
  },
  ERR_KEY_RECOVERY: {
    hint: 'Stop Roadveil and run `roadveil key rewrap`: without that wrap the store is lost with the device key.',
  },
  ERR_KEY_CREDENTIAL: {
    hint: 'A systemd credential is replaced where it comes from; config/keys.md says how.',
  },
  ERR_ENDORSEMENT_INVALID: {
    hint: 'The new key was not accepted; if it is right, put the output of `roadveil key export-public` into the devices folder.',
  },
  ERR_ENDORSEMENT_CONFLICT: {
    hint: 'The old key has endorsed two new ones, so one may be a thief: ask the box for `roadveil key export-public`, and replace DEVICE.pem by it.',
  },
  ERR_KEY_UNKNOWN: {
    hint: 'It was signed with a key that is not trusted here; add the public key if it should be.',
  },
  ERR_ENVELOPE_MALFORMED: {
    hint: 'It is not a DSSE envelope of the expected form and size; nothing of it was used.',
  },
  ERR_ENVELOPE_TYPE: { hint: 'It was signed for another purpose; nothing of it was used.' },
  ERR_SIGNATURE_INVALID: { hint: 'It was changed or forged on its way; nothing of it was used.' },
  ERR_MANIFEST_INVALID: {
    hint: 'The manifest is not for this device or not of the expected form; set it aside.',
  },
  ERR_CHECKPOINT_INVALID: {
    hint: 'The checkpoint is not for this device or not of the expected form; take the file as the receiver stored it.',
  },
  ERR_RECEIPT_INVALID: {
    hint: 'The receipt is not for this device or not of the expected form; nothing was deleted for it.',
  },
  ERR_CIPHERTEXT_MISMATCH: {
    hint: 'The sealed evidence is not the one that its manifest names; have the box send it again.',
  },
  ERR_DECRYPT_FAILED: {
    hint: "The identity does not open it: use the one that belongs to the recipients in the box's config.",
  },
  ERR_PACKAGE_MALFORMED: { hint: 'The opened evidence is not a package of the expected form; set it aside.' },
  ERR_PACKAGE_MISMATCH: {
    hint: 'The files are not the ones that evidence.json names; set the evidence aside.',
  },
  ERR_EVIDENCE_TOO_LARGE: {
    hint: 'Shorten the clip or use fewer pictures: a sealed evidence has at most 64 MiB.',
  },
  ERR_CERTIFICATE_INVALID: {
    hint: 'It is no purge certificate that this box signed: keep a copy of the store and tell the privacy officer.',
  },

  // store/
  ERR_STORE_KEY: {
    hint: 'The database key does not open this store, or the start of the file is damaged: put the right key file in place, or move the store away.',
  },
  ERR_STORE_PLAIN: { hint: 'The file is an unencrypted database; move it away and a new store is made.' },
  ERR_STORE_FOLDER: {
    hint: 'The folder of the store must belong to the user that runs Roadveil and have mode 0700.',
  },
  ERR_STORE_LOCKED: { hint: 'Stop the other roadveil process that uses this store.' },
  ERR_STORE_VERSION: { hint: 'A newer Roadveil wrote this store; install that version or a later one.' },
  ERR_STORE_PRAGMA: {
    hint: 'The database library is not the one that Roadveil was built with; reinstall it.',
  },
  ERR_STORE_CORRUPT: {
    hint: 'The store is damaged: stop Roadveil, keep a copy of the file, and restore or replace it.',
  },
  ERR_STORE_FULL: {
    hint: 'Nothing that was stored is lost. Free disk space or raise store.maxSizeMiB, and check why the city sends no receipts.',
  },
  ERR_STORE_IO: {
    hint: 'The disk failed to read or write; check it (dmesg, smartctl) before anything else.',
  },
  ERR_EVIDENCE_CONFLICT: { hint: 'Another evidence with this id is stored already; nothing was changed.' },
  ERR_EVIDENCE_UNKNOWN: { hint: 'See what is stored with `roadveil evidence list`.' },
  ERR_DAY_KEY: {
    hint: 'The key of its day was destroyed or its file is lost: put the folder NAME.days back that belongs to this store, or set the evidence aside.',
  },
  ERR_RECEIPT_MISMATCH: {
    hint: 'The receipt names another ciphertext than the one stored; nothing was deleted for it.',
  },
  ERR_HOLD_EXISTS: {
    hint: 'There is such a hold already: release that one first to change it, or name another case with --case.',
  },
  ERR_HOLD_UNKNOWN: { hint: 'There is no such hold; see `roadveil evidence holds` for those in force.' },
  ERR_HOLD_CASE: { hint: 'Name the case whose hold is to end with --case; the others stay.' },
  ERR_SUBJECT_SCOPE: { hint: 'Name one evidence or a time span; ask for a shorter one, or for one camera.' },
  ERR_AUDIT_BROKEN: {
    hint: 'The audit log was changed from outside: keep a copy of the store and tell the privacy officer.',
  },

  // retention/
  ERR_CLOCK_WRONG: {
    hint: 'Set the clock of this machine (timedatectl); nothing is purged by age until it is right.',
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
