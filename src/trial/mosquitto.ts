import { MAX_PACKET_BYTES } from '../protocol/limits.ts'
import type { BrokerFiles } from './layout.ts'

/** The name under which the city's receiver is known to the broker. */
export const RECEIVER_NAME = 'receiver'

/** The name under which whoever commands the boxes is known to the broker. */
export const COMMANDER_NAME = 'commander'

/**
 * mosquitto.conf of a trial: loopback only, TLS 1.3, both sides with certificates, the client's name from its certificate.
 * @param asRoot whether root starts it: mosquitto would otherwise become a user who cannot read keys of mode 0600.
 */
export function mosquittoConfig(files: BrokerFiles, port: number, asRoot: boolean): string {
  return `# A broker for trials: loopback only. mosquitto -c ${files.config}
listener ${port} 127.0.0.1
protocol mqtt

cafile ${files.ca}
certfile ${files.certificate}
keyfile ${files.key}
tls_version tlsv1.3
require_certificate true
# The name in the certificate is the user in the rights list and the client id: nobody can pass for another.
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file ${files.acl}
${asRoot ? '\n# It must stay the user who may read the keys.\nuser root\n' : ''}
# Evidence lives on the box until the city confirms it; the broker need not keep anything on disk.
persistence false
max_packet_size ${MAX_PACKET_BYTES}
max_inflight_messages 20
max_queued_messages 1000
max_queued_bytes 134217728
memory_limit 536870912
persistent_client_expiration 7d
max_keepalive 120
# Receipts are small and waited for: they must not wait for the acknowledgement of what was sent before.
set_tcp_nodelay true

log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true
`
}

/** The rights list: a device reaches only what lies below its own name, the receiver and who commands only what the city needs. */
export function mosquittoRights(prefix: string): string {
  return `pattern write ${prefix}/v1/+/%u/status
pattern write ${prefix}/v1/+/%u/checkpoint
pattern write ${prefix}/v1/+/%u/endorsement/+
pattern write ${prefix}/v1/+/%u/evidence/+/manifest
pattern write ${prefix}/v1/+/%u/evidence/+/chunk/+
pattern write ${prefix}/v1/+/%u/certificate/+
pattern write ${prefix}/v1/+/%u/answer/+
pattern read ${prefix}/v1/+/%u/receipt/+
pattern read ${prefix}/v1/+/%u/command/+

user ${RECEIVER_NAME}
topic read ${prefix}/v1/+/+/status
topic read ${prefix}/v1/+/+/checkpoint
topic read ${prefix}/v1/+/+/endorsement/+
topic read ${prefix}/v1/+/+/evidence/+/manifest
topic read ${prefix}/v1/+/+/evidence/+/chunk/+
topic read ${prefix}/v1/+/+/certificate/+
topic read ${prefix}/v1/+/+/answer/+
topic write ${prefix}/v1/+/+/receipt/+
topic write ${prefix}/v1/+/+/command/+

user ${COMMANDER_NAME}
topic write ${prefix}/v1/+/+/command/+
topic read ${prefix}/v1/+/+/answer/+
topic read ${prefix}/v1/+/+/endorsement/+
`
}
