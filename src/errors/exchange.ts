import type { ErrorEntries } from './entries.ts'

/** What may go wrong between the box, the city and whoever runs the box. */
export const EXCHANGE_ERRORS = {
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
  ERR_BROKER_HANGS_UP: {
    hint: 'The broker ends the connection whenever this evidence is sent: its log says why (for mosquitto, remove message_size_limit).',
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
    hint: "The box was salvaged after damage, or too many checkpoints were missed: run `roadveil audit verify --checkpoint` there with the alarm's witnessed.dsse.json.",
  },
  ERR_OUTPUT_FAILED: {
    hint: 'Check that the output folder is writable and has space; the evidence stays on the box.',
  },

  ERR_DATABASE_URL: {
    exit: 3,
    hint: 'Write one line into database.urlFile: postgres://USER:PASSWORD@HOST/DATABASE, and ?sslmode=verify-full for another machine.',
  },
  ERR_DATABASE_UNREACHABLE: {
    hint: 'Check the host and port in database.urlFile, its certificate, and that PostgreSQL runs; boxes send again what was not taken.',
  },
  ERR_DATABASE_REFUSED: {
    hint: 'Check user, password and database in database.urlFile; the user needs the right to create a schema there (GRANT CREATE).',
  },
  ERR_DATABASE_VERSION: {
    hint: 'A newer release made the tables: install that release for all receivers of this database.',
  },
  ERR_DATABASE_FAILED: {
    hint: 'Look up the code in the appendix on error codes of PostgreSQL, and in the log of the server; boxes send again what was not taken.',
  },
  ERR_BUCKET_UNREACHABLE: {
    hint: 'Check bucket.endpoint and that the store runs; for a certificate of your own authority set NODE_EXTRA_CA_CERTS.',
  },
  ERR_BUCKET_REFUSED: {
    hint: 'Check both key files, the region and the clock; the key needs the rights to list the bucket, and to get and put objects.',
  },
  ERR_BUCKET_MISSING: { hint: 'Create the bucket that bucket.name names, or name the right one.' },
  ERR_COMMAND_KEYLESS: {
    exit: 3,
    hint: "Add a section `commands` to the receiver's config: the key that signs commands, and a broker certificate of its own.",
  },
  ERR_ANSWER_MISSING: {
    exit: 4,
    hint: 'The receiver sends the command again when the box reports, until it expires; the answer comes to commands/ in stateDirectory.',
  },
  ERR_COMMAND_REFUSED: {
    hint: 'Nothing was changed at the box; config/errors.md says what to do about the code that it gave.',
  },

  // trial/
  ERR_TRIAL_EXISTS: {
    hint: 'Name an empty folder, or delete the one of the earlier trial; its keys are then gone for good.',
  },
  ERR_TRIAL_NAME: {
    hint: "Use lower-case letters, digits and hyphens, and not the names receiver and commander, which are the city's.",
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
    hint: 'Set runtimeDirectory to a short path of a folder that belongs to the user that runs Roadveil and has mode 0700 (0710 for its group).',
  },
  ERR_VAULT_UNREACHABLE: {
    exit: 4,
    hint: 'Start Roadveil (`roadveil run`), and ask as the user that runs it with the same config.',
  },
  ERR_CONTROL_REQUEST: {
    hint: 'The command and the running vault come from different versions; restart the vault.',
  },

  // health/
  ERR_EVERYTHING_HELD: {
    hint: 'Find out which holds were in force and place them again; then end this case with `roadveil evidence release --case`. config/keys.md says when that happens.',
  },
  ERR_STORE_NEARLY_FULL: {
    hint: 'Get delivery going again, release legal holds that are no longer needed, or raise store.maxSizeMiB.',
  },
  ERR_DISK_FULL: {
    hint: 'Make room on the disk of the store: see what takes it (`du -x`, `df -i`), move other data and old logs away. Evidence is kept until then.',
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
  ERR_SWAP_ON: {
    hint: 'Turn swap off (swapoff -a, and its line in /etc/fstab), so that no picture or key is ever written to a disk; zram may stay.',
  },
  ERR_CORE_DUMPS: {
    hint: 'Write no program to /proc/sys/kernel/core_pattern (sysctl kernel.core_pattern=core): such a program gets memory whatever limit is set.',
  },
  ERR_CLOCK_UNSYNCHRONIZED: {
    hint: 'Run chrony or systemd-timesyncd against a time server that the box can reach; evidence names the state of the clock.',
  },

  // vault/
  ERR_EVIDENCE_INVALID: {
    hint: 'Nothing of it was kept, because it does not match its own facts; restart vision and vault from one version.',
  },

  // cli/
  ERR_CORE_LIMIT: { hint: 'Install util-linux, whose prlimit keeps pixels and keys out of core dumps.' },
  ERR_USAGE: { exit: 2, hint: 'Run `roadveil --help`, or `roadveil VERB --help` for one verb.' },
  ERR_UNHEALTHY: {
    hint: 'Do what stands below each fault, and run `roadveil doctor` again.',
  },
  ERR_ALREADY_THERE: {
    hint: 'Nothing was overwritten: name an empty folder, or move the old files away first.',
  },
} as const satisfies ErrorEntries
