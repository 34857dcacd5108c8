import type { ErrorEntries } from './entries.ts'

/** What may go wrong with what the box keeps, and with its keys. */
export const KEEPING_ERRORS = {
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
  ERR_COMMAND_INVALID: {
    hint: 'The command is not of the expected form, or valid for more than 30 days; issue it with `roadveil command` of the same version.',
  },
  ERR_COMMAND_FOREIGN: {
    hint: 'The command names another box or site than the one that got it; someone may be replaying messages.',
  },
  ERR_COMMAND_EARLY: {
    hint: 'The command was issued after the time of the box: set the clocks of city and box (timedatectl), and send it again.',
  },
  ERR_COMMAND_EXPIRED: {
    hint: 'The command came after its time, and nothing was done; issue it anew if it still holds.',
  },
  ERR_COMMAND_FORGOTTEN: {
    hint: 'The box has lost its memory of some commands that were issued before, and this may be one of them: see what holds there now, and issue it anew.',
  },
  ERR_COMMAND_REUSED: {
    hint: 'Another command with this id was taken before; issue it anew. Someone may be tampering with messages.',
  },
  ERR_ANSWER_INVALID: {
    hint: 'The answer is not from this device or not of the expected form; nothing of it was believed.',
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
  ERR_STORE_EVIDENCE: {
    hint: 'Put the folder NAME.evidence back that belongs to this store. Where it is lost, make an empty one (mode 0700): the next start names what is gone.',
  },
  ERR_STORE_CORRUPT: {
    hint: 'The store is damaged: the next start of the vault saves what is intact into a new one. Check the disk (dmesg, smartctl).',
  },
  ERR_STORE_SALVAGED: {
    hint: 'Check the disk (dmesg, smartctl), and keep a copy of NAME.damaged if it is needed: it is purged after 30 days, unless a hold was on what was lost.',
  },
  ERR_STORE_ROLLED_BACK: {
    hint: 'Find out who put an old copy of the store back, or what the disk lost; the city raises an alarm, too. What is missing is in no other place here.',
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
    hint:
      'Set the clock of this machine (timedatectl) and have chrony or systemd-timesyncd keep it: until then ' +
      'nothing is purged by age and no command is taken.',
  },
} as const satisfies ErrorEntries
