import { readFileSync } from 'node:fs'
import { RoadveilError } from '../errors.ts'
import type { BrokerAddress } from '../protocol/connection.ts'
import type { ReceiverConfig } from './config.ts'

/**
 * The broker, and the certificate to show it. Read at each connection, so that a renewed certificate is used without a restart.
 *
 * @throws RoadveilError ERR_BROKER_TLS
 */
export function brokerAddress(
  broker: Pick<ReceiverConfig['broker'], 'url' | 'caFile'>,
  { certificateFile, keyFile }: { readonly certificateFile: string; readonly keyFile: string },
): BrokerAddress {
  try {
    return {
      url: broker.url,
      ca: readFileSync(broker.caFile, 'utf8'),
      certificate: readFileSync(certificateFile, 'utf8'),
      key: readFileSync(keyFile, 'utf8'),
    }
  } catch (cause) {
    throw new RoadveilError(
      'ERR_BROKER_TLS',
      'a certificate or key of the broker connection cannot be read',
      { cause },
    )
  }
}
