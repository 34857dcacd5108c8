import type { ErrorEntries } from './entries.ts'

/** What may go wrong from the config and the camera to finished pictures. */
export const PICTURE_ERRORS = {
  // any room
  ERR_INTERNAL: {
    hint: 'This is a fault of Roadveil itself; report it with the version and the log lines around it.',
  },
  ERR_INSTALLATION: {
    hint: 'A package that Roadveil needs is missing or does not fit this machine; install again with scripts/setup.sh.',
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
  ERR_INPUT_NOT_A_FILE: {
    hint: 'Name files and folders: what comes from a pipe, socket or device must be saved to a file first.',
  },
  ERR_INPUT_UNREADABLE: {
    hint: 'Nothing was written for it, since damage hides faces from whoever looks for them; get the file again from where it came.',
  },
  ERR_INPUT_FORMAT: {
    hint: 'JPEG, PNG and WebP are redacted: make a JPEG or PNG of it first (convert FILE FILE.png of ImageMagick, of HEIC heif-convert FILE FILE.png), and anonymize that.',
  },
  ERR_INPUT_ANIMATED: {
    hint: 'Make a video of it first (of a PNG ffmpeg -i FILE FILE.mp4, of a WebP convert FILE FILE.gif of ImageMagick), and anonymize that.',
  },
  ERR_INPUT_TOO_LARGE: {
    hint: 'Pictures may have 100 megapixels and 256 MiB, videos 3840x2160; scale it down first.',
  },
  ERR_OUTPUT_IS_INPUT: { hint: 'Name another folder with --out: originals are never overwritten.' },
  ERR_OUTPUT_TWICE: {
    exit: 2,
    hint: 'Nothing was written: name a folder above both, whose structure is kept, or anonymize them into folders of their own.',
  },
  ERR_OUTPUT_BUSY: {
    hint: 'Wait until the other run has ended, or name another folder with --out.',
  },
  ERR_OUTPUT_UNWRITABLE: {
    hint: 'Check that the folder named with --out and that of the report are writable, then run the same command again.',
  },
  ERR_OUTPUT_DISK_FULL: {
    hint: 'Make room on the disk of the folder named with --out, or name one elsewhere; of a video, about as much as it has itself. Then run the same command again: what is finished stays.',
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
} as const satisfies ErrorEntries
