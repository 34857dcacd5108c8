import { AwsClient } from 'aws4fetch'
import { isRoadveilError, RoadveilError } from '../../errors.ts'
import { sha256Hex } from '../../sealing/seal.ts'

/** A bucket of an S3-compatible store. */
export interface Bucket {
  /** `s3://NAME/`. */
  readonly url: string
  /**
   * Writes an object as a whole, in the place of one of this name. The store checks the bytes against their SHA-256.
   *
   * @throws RoadveilError ERR_BUCKET_UNREACHABLE, ERR_BUCKET_REFUSED, ERR_BUCKET_MISSING, ERR_OUTPUT_FAILED.
   */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** The bytes of an object, or undefined where there is none. Throws as `put` does. */
  get(key: string): Promise<Buffer | undefined>
  /** Throws as `put` does when the bucket is not there or may not be used. */
  check(): Promise<void>
}

export interface BucketAddress {
  /** https://HOST[:PORT]; http:// on this machine only. The bucket's name comes behind it ("path style"). */
  readonly endpoint: string
  readonly region: string
  readonly name: string
  readonly accessKey: string
  readonly secretKey: string
}

const EMPTY_SHA256 = sha256Hex(new Uint8Array())

/**
 * Reaches a bucket with requests signed after AWS Signature Version 4.
 *
 * @param timeoutMs for one object.
 */
export function reachBucket(
  { endpoint, region, name, accessKey, secretKey }: BucketAddress,
  timeoutMs: number,
): Bucket {
  const client = new AwsClient({
    accessKeyId: accessKey,
    secretAccessKey: secretKey,
    service: 's3',
    region,
    // The box asks again, and with it we do.
    retries: 0,
  })
  const base = `${endpoint.replace(/\/$/, '')}/${name}`

  const send = async (method: string, key: string, body?: Uint8Array): Promise<Response> => {
    const sha256 = body ? sha256Hex(body) : EMPTY_SHA256
    try {
      return await client.fetch(`${base}${key}`, {
        method,
        headers: { 'X-Amz-Content-Sha256': sha256 },
        ...(body && { body: Buffer.from(body) }),
        // Whoever answers for the store elsewhere does not get the pictures.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
    } catch (cause) {
      throw new RoadveilError(
        'ERR_BUCKET_UNREACHABLE',
        `the image store cannot be reached (${codeOf(cause)})`,
        {
          cause,
        },
      )
    }
  }

  const fault = async (response: Response, what: string): Promise<RoadveilError> => {
    const { status } = response
    // The answer is XML that names the fault; HEAD has none.
    const code = /<Code>(\w{1,60})<\/Code>/.exec(await response.text().catch(() => ''))?.[1] ?? 'no code'
    const says = `the image store answered ${status} (${code}) to ${what}`
    if (status === 404) return new RoadveilError('ERR_BUCKET_MISSING', says)
    // A redirection: to the region that the bucket is in.
    if (status < 400 || status === 401 || status === 403) return new RoadveilError('ERR_BUCKET_REFUSED', says)
    return new RoadveilError('ERR_OUTPUT_FAILED', says)
  }

  return {
    url: `s3://${name}/`,
    async put(key, bytes) {
      const response = await send('PUT', `/${key}`, bytes)
      if (!response.ok) throw await fault(response, 'a new object')
      await response.arrayBuffer()
    },
    async get(key) {
      const response = await send('GET', `/${key}`)
      if (response.ok) return body(response)
      const error = await fault(response, 'a question for an object')
      // NoSuchBucket is another matter.
      if (isRoadveilError(error, 'ERR_BUCKET_MISSING') && error.message.includes('NoSuchKey'))
        return undefined
      throw error
    },
    async check() {
      const response = await send('HEAD', '')
      if (!response.ok) throw await fault(response, 'a question for the bucket')
    },
  }
}

async function body(response: Response): Promise<Buffer> {
  try {
    return Buffer.from(await response.arrayBuffer())
  } catch (cause) {
    throw new RoadveilError('ERR_BUCKET_UNREACHABLE', 'the image store stopped in the middle of an object', {
      cause,
    })
  }
}

/** Node's code, of which fetch makes a cause. */
function codeOf(error: unknown): string {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (inner instanceof Error && 'code' in inner && typeof inner.code === 'string') return inner.code
  return inner instanceof Error ? inner.name : 'unknown'
}
