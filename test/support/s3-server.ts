import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'

/**
 * A small S3: it keeps objects of one bucket in memory, and takes nothing that is not signed after AWS Signature Version 4 with its
 * key, written from AWS's description and not from the client's source. Debian has no S3 server that a test could start.
 */
export interface S3Server extends AsyncDisposable {
  readonly endpoint: string
  readonly objects: ReadonlyMap<string, Buffer>
  /** Answers everything with this status from now on; undefined: behaves again. */
  fail(status: number | undefined): void
}

export const S3_BUCKET = 'evidence'
export const S3_KEY = { accessKey: 'AKIDROADVEIL', secretKey: 'a secret of the store' }
export const S3_REGION = 'eu-city-1'

/** A request as far as it is signed. */
export interface SignedRequest {
  readonly method: string
  /** As it stands in the request line. */
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
}

/** @param delayMs how long each object takes to be written. */
export async function startS3(delayMs: () => number = () => 0): Promise<S3Server> {
  const objects = new Map<string, Buffer>()
  let failure: number | undefined
  const answer = (
    request: IncomingMessage,
    body: Buffer,
  ): { status: number; code?: string; body?: Buffer } => {
    if (failure !== undefined) return { status: failure, code: 'SlowDown' }
    const { pathname, search } = new URL(request.url ?? '', 'http://s3')
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    )
    const method = request.method ?? ''
    const signed = { method, path: pathname, query: search.slice(1), headers }
    if (!isSignedWith(signed, S3_KEY, S3_REGION)) return { status: 403, code: 'SignatureDoesNotMatch' }
    if (headers['x-amz-content-sha256'] !== sha256(body))
      return { status: 400, code: 'XAmzContentSHA256Mismatch' }
    const [, bucket, ...rest] = decodeURIComponent(pathname).split('/')
    const key = rest.join('/')
    if (bucket !== S3_BUCKET) return { status: 404, code: 'NoSuchBucket' }
    if (key === '') return { status: method === 'HEAD' ? 200 : 405 }
    if (method === 'PUT') {
      objects.set(key, body)
      return { status: 200 }
    }
    const found = objects.get(key)
    return found ? { status: 200, body: found } : { status: 404, code: 'NoSuchKey' }
  }
  const server = createServer((request, response) => {
    void buffer(request).then(async (body) => {
      if (request.method === 'PUT') await sleep(delayMs())
      const { status, code, body: found } = answer(request, body)
      response.writeHead(status).end(found ?? (code && `<Error><Code>${code}</Code></Error>`))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    endpoint: `http://127.0.0.1:${port}`,
    objects,
    fail: (status) => (failure = status),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/**
 * The signature of a request, after "Authenticating Requests: Using the Authorization Header (AWS Signature Version 4)" of the Amazon
 * S3 API reference.
 */
export function signatureOf(
  { method, path, query, headers }: SignedRequest,
  { names, at, scope, secretKey }: { names: readonly string[]; at: string; scope: string; secretKey: string },
): string {
  const canonical = [
    method,
    path,
    query.split('&').sort().join('&'),
    ...names.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n')
  const text = ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n')
  const key = scope.split('/').reduce<Buffer | string>((above, part) => hmac(above, part), `AWS4${secretKey}`)
  return hmac(key, text).toString('hex')
}

const MAX_SKEW_MS = 15 * 60_000

function isSignedWith(
  request: SignedRequest,
  { accessKey, secretKey }: typeof S3_KEY,
  region: string,
): boolean {
  const { headers } = request
  const [, credential = '', signedHeaders = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(
      headers['authorization'] ?? '',
    ) ?? []
  const [key, ...scope] = credential.split('/')
  const at = headers['x-amz-date'] ?? ''
  const time = Date.parse(at.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'))
  const names = signedHeaders.split(';')
  const isRight =
    key === accessKey &&
    scope.join('/') === [at.slice(0, 8), region, 's3', 'aws4_request'].join('/') &&
    Math.abs(Date.now() - time) < MAX_SKEW_MS &&
    names.includes('host') &&
    Object.keys(headers).every((name) => !name.startsWith('x-amz-') || names.includes(name))
  if (!isRight) return false
  const ours = signatureOf(request, { names, at, scope: scope.join('/'), secretKey })
  return timingSafeEqual(Buffer.from(ours), Buffer.from(signature))
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(bytes: Buffer | string): string {
  return createHash('sha256').update(bytes).digest('hex')
}
