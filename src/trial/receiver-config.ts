import { basename, relative } from 'node:path'
import type { CityFiles } from './layout.ts'

/** receiver.yaml of a trial, with a comment for every key. */
export function receiverConfig(city: CityFiles, brokerUrl: string, topicPrefix: string): string {
  const local = (file: string): string => relative(city.directory, file)
  return `# The city's receiver: roadveil receive --config ${basename(city.config)}
# File names are relative to this file's folder.
broker:
  url: ${brokerUrl}
  topicPrefix: ${topicPrefix}
  caFile: ${local(city.ca)}
  certificateFile: ${local(city.certificate)}
  keyFile: ${local(city.key)}

# One public key per box, DEVICE.pem: whose evidence is believed. A box is added or removed while the receiver runs.
devicesDirectory: ${local(city.devices)}

# The age identity that opens evidence (0600). Keep ${basename(city.recovery)} offline; it opens evidence, too.
identityFile: ${local(city.identity)}

# The Ed25519 key that signs receipts (0600); boxes have its public half in city.receiptKeys.
receiptKeyFile: ${local(city.receiptKey)}

# Whoever commands boxes (roadveil command): the Ed25519 key that signs commands (0600), whose public half boxes have in
# city.commandKeys, and a broker certificate of his own. The running receiver needs none of it: it only passes commands on again.
commands:
  commandKeyFile: ${local(city.commandKey)}
  certificateFile: ${local(city.commanderCertificate)}
  keyFile: ${local(city.commanderKey)}

# Opened evidence: SITE/DEVICE/EVIDENCE/. README, "A receiver for a city", says how several receivers share the load.
outputDirectory: ${local(city.evidence)}

# Evidence that is still coming in (encrypted), quarantine/ for what was refused, checkpoints/ of the boxes' audit logs,
# alarms/ where one contradicts what was witnessed, certificates/ of what boxes deleted, and commands/ with their answers: keep a
# backup of these four.
stateDirectory: ${local(city.state)}
quarantineMaxMiB: 1024
`
}
