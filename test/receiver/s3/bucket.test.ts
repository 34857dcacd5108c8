import t from 'tap'
import { type BucketAddress, reachBucket } from '../../../src/receiver/s3/bucket.ts'
import { S3_BUCKET, S3_KEY, S3_REGION, signatureOf, startS3 } from '../../support/s3-server.ts'

const EMPTY = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'

await t.test('the store of these tests signs as AWS does in its published examples', async (t) => {
  const example = {
    at: '20130524T000000Z',
    scope: '20130524/us-east-1/s3/aws4_request',
    secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  }
  const host = 'examplebucket.s3.amazonaws.com'
  const get = {
    ...{ method: 'GET', path: '/test.txt', query: '' },
    headers: {
      ...{ host, range: 'bytes=0-9', 'x-amz-content-sha256': EMPTY, 'x-amz-date': example.at },
    },
  }
  t.equal(
    signatureOf(get, { ...example, names: ['host', 'range', 'x-amz-content-sha256', 'x-amz-date'] }),
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  )
  const put = {
    ...{ method: 'PUT', path: '/test%24file.text', query: '' },
    headers: {
      ...{ host, date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-date': example.at },
      ...{ 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
      'x-amz-content-sha256': '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
  }
  const names = ['date', 'host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-storage-class']
  t.equal(
    signatureOf(put, { ...example, names }),
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  )
})

await t.test('objects are written and read back, and what is not there is told', async (t) => {
  await using store = await startS3()
  const bucket = reachBucket(addressOf(store.endpoint), 2000)
  await bucket.check()
  t.equal(await bucket.get('a/b/c.txt'), undefined)
  await bucket.put('a/b/c.txt', Buffer.from('one'))
  await bucket.put('a/b/c.txt', Buffer.from('two'))
  t.equal((await bucket.get('a/b/c.txt'))?.toString(), 'two')
  t.strictSame([...store.objects.keys()], ['a/b/c.txt'])
})

await t.test('every way in which a store refuses has its code', async (t) => {
  await using store = await startS3()
  const address = addressOf(store.endpoint)
  const wrong: [Partial<BucketAddress>, string][] = [
    [{ name: 'another' }, 'ERR_BUCKET_MISSING'],
    [{ secretKey: 'another' }, 'ERR_BUCKET_REFUSED'],
    [{ accessKey: 'another' }, 'ERR_BUCKET_REFUSED'],
    [{ region: 'another' }, 'ERR_BUCKET_REFUSED'],
    [{ endpoint: 'http://127.0.0.1:1' }, 'ERR_BUCKET_UNREACHABLE'],
  ]
  for (const [change, code] of wrong) {
    const bucket = reachBucket({ ...address, ...change }, 2000)
    await t.rejects(bucket.check(), { code }, code)
    await t.rejects(bucket.put('a', Buffer.from('one')), { code }, code)
    await t.rejects(bucket.get('a'), { code }, code)
  }
  store.fail(503)
  const bucket = reachBucket(address, 2000)
  await t.rejects(bucket.put('a', Buffer.from('one')), {
    code: 'ERR_OUTPUT_FAILED',
    message: /503 \(SlowDown\)/,
  })
  t.equal(store.objects.size, 0)
})

function addressOf(endpoint: string): BucketAddress {
  return { endpoint, region: S3_REGION, name: S3_BUCKET, ...S3_KEY }
}
