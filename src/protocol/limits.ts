/** What the wire carries at most. Both sides refuse more, each before it costs memory or disk. */

/** Bytes of one chunk. Brokers in the cloud cap a message at 128 KB. */
export const MAX_CHUNK_BYTES = 96 * 1024

/** Bytes of one sealed evidence: a package of 64 MiB and what encryption adds to it. */
export const MAX_EVIDENCE_BYTES = 65 * 1024 * 1024

/** Chunks of one sealed evidence. */
export const MAX_CHUNKS = Math.ceil(MAX_EVIDENCE_BYTES / MAX_CHUNK_BYTES)

/** Bytes of a signed manifest: one hash per chunk, base64 in its envelope, and room for the rest. */
export const MAX_MANIFEST_BYTES = 96 * 1024

/** Bytes of a signed receipt: at most every chunk index, base64 in its envelope. */
export const MAX_RECEIPT_BYTES = 16 * 1024

/** Bytes of a status message. */
export const MAX_STATUS_BYTES = 4 * 1024

/** Earlier checkpoints that one of the audit log names: a city that was away for so many of them can still tell whether it fits. */
export const MAX_CHECKPOINT_MARKS = 32

/** Bytes of a signed checkpoint: a hash a mark, base64 in its envelope. */
export const MAX_CHECKPOINT_BYTES = 8 * 1024

/** Bytes of a signed endorsement of a new signing key. */
export const MAX_ENDORSEMENT_BYTES = 4 * 1024

/** Evidence that one command names. */
export const MAX_COMMAND_EVIDENCE = 200

/** Bytes of a signed command: 200 evidence ids, base64 in its envelope, and room for words. */
export const MAX_COMMAND_BYTES = 24 * 1024

/** Bytes of a signed answer: at most the ids that its command named. */
export const MAX_ANSWER_BYTES = 24 * 1024

/** How long a command may be valid: a box that was out of service for some weeks still gets it. */
export const MAX_COMMAND_DAYS = 30

/** How far ahead of the box's clock a command may have been issued: time services move clocks by seconds, people by minutes. */
export const COMMAND_CLOCK_TOLERANCE_MS = 5 * 60_000

/** Seconds that a broker may hold an answer for a city that is away; the city asks again. */
export const ANSWER_EXPIRY_SECONDS = 7 * 86_400

/** Bytes of a signed purge certificate. */
export const MAX_CERTIFICATE_BYTES = 16 * 1024

/** Purge certificates of one box that the broker keeps for a city that is away: those of two or three days. */
export const CERTIFICATE_SLOTS = 64

/** Bytes of one packet that both sides accept: the largest payload, its topic and properties. */
export const MAX_PACKET_BYTES = 128 * 1024

/** Seconds that a broker may hold a manifest or chunk for a receiver that is away; the box sends it again anyway. */
export const MESSAGE_EXPIRY_SECONDS = 600
