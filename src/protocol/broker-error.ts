import { RoadveilError } from '../errors.ts'

/** Node's codes for a host that does not answer. */
const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EPIPE',
])

/**
 * Says in our codes why no connection to a broker came about.
 *
 * @param cause what the MQTT client or TLS threw, if anything: a connection may just be closed.
 * @param secured whether TLS had accepted the broker before. From then on it is the broker that refuses: TLS 1.3 checks
 *   the client's certificate only after the client believes the handshake finished (RFC 8446, section 4.4).
 */
export function connectError(cause: unknown, secured: boolean): RoadveilError {
  const code = codeOf(cause)
  if (typeof code === 'number') {
    return new RoadveilError('ERR_BROKER_REFUSED', `the broker refused the connection with reason ${code}`, {
      cause,
    })
  }
  // An alert is the broker's verdict on us; the one about the version means that it has no TLS 1.3.
  if (/ALERT/.test(code) && !/PROTOCOL_VERSION/.test(code)) {
    return new RoadveilError('ERR_BROKER_REFUSED', `the broker refused the client certificate (${code})`, {
      cause,
    })
  }
  if (secured) {
    return new RoadveilError('ERR_BROKER_REFUSED', `the broker ended the connection unanswered (${code})`, {
      cause,
    })
  }
  if (UNREACHABLE.has(code) || code === 'closed') {
    return new RoadveilError('ERR_BROKER_UNREACHABLE', `the broker could not be reached (${code})`, { cause })
  }
  return new RoadveilError('ERR_BROKER_TLS', `the broker could not be trusted (${code})`, { cause })
}

/** The MQTT reason code (a number), Node's or OpenSSL's code, or `closed` where there is none. */
function codeOf(cause: unknown): number | string {
  if (typeof cause === 'object' && cause !== null && 'code' in cause) {
    if (typeof cause.code === 'number' || typeof cause.code === 'string') return cause.code
  }
  return 'closed'
}

/** The MQTT 5 reason code of an error from the MQTT client (128 and above are failures), if it has one. */
export function reasonCodeOf(cause: unknown): number | undefined {
  const code = codeOf(cause)
  return typeof code === 'number' ? code : undefined
}
