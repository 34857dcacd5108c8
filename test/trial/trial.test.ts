import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createTrial, type TrialOptions } from '../../src/trial/trial.ts'

const options: TrialOptions = {
  site: 'hill-street',
  device: 'box-1',
  topicPrefix: 'roadveil',
  hosts: ['localhost', '127.0.0.1'],
  port: 8883,
  now: new Date(),
}

const openssl = (...args: string[]): string =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' })

await t.test('a trial has certificates that openssl accepts for their purpose and host only', async (t) => {
  const { authority, box, city, broker } = await createTrial(t.testdir(), options)
  const verify = (purpose: string, file: string, ...more: string[]): string =>
    openssl('verify', '-x509_strict', '-CAfile', authority.certificate, '-purpose', purpose, ...more, file)

  t.match(verify('sslserver', broker.certificate, '-verify_hostname', 'localhost'), /OK/)
  t.match(verify('sslserver', broker.certificate, '-verify_ip', '127.0.0.1'), /OK/)
  t.match(verify('sslclient', box.certificate), /OK/)
  t.match(verify('sslclient', city.certificate), /OK/)
  t.throws(() => verify('sslserver', box.certificate))
  t.throws(() => verify('sslserver', broker.certificate, '-verify_hostname', 'example.org'))

  t.match(openssl('x509', '-in', box.certificate, '-noout', '-subject'), /CN ?= ?box-1$/m)
  t.match(openssl('x509', '-in', city.certificate, '-noout', '-subject'), /CN ?= ?receiver$/m)
  t.match(openssl('x509', '-in', city.commanderCertificate, '-noout', '-subject'), /CN ?= ?commander$/m)
  const serials = [box, city, broker].map(({ certificate }) =>
    openssl('x509', '-in', certificate, '-noout', '-serial'),
  )
  t.equal(new Set(serials).size, 3)
})

await t.test('every private file of a trial has mode 0600', async (t) => {
  const { authority, box, city, broker } = await createTrial(t.testdir(), options)
  const secrets = [authority.key, box.key, box.signingKey, box.databaseKey, box.deviceKey, broker.key]
  const ofCity = [city.key, city.identity, city.recovery, city.receiptKey, city.commandKey, city.commanderKey]
  for (const file of [...secrets, ...ofCity]) {
    t.equal(statSync(file).mode & 0o777, 0o600, file)
  }
})

await t.test('a trial is never made over another', async (t) => {
  const directory = t.testdir()
  const { box } = await createTrial(directory, options)
  const before = statSync(box.key).mtimeMs
  await t.rejects(createTrial(directory, options), { code: 'ERR_TRIAL_EXISTS' })
  t.equal(statSync(box.key).mtimeMs, before)
})

await t.test('names that cannot stand in a topic, or are the receiver’s, are refused', async (t) => {
  const directory = t.testdir()
  const wrong: Partial<TrialOptions>[] = [
    { device: 'receiver' },
    { device: 'commander' },
    { device: 'Box' },
    { device: '../box' },
    { site: 'a/b' },
    { site: '+' },
    { topicPrefix: '#' },
    { topicPrefix: 'a//b' },
  ]
  for (const [index, names] of wrong.entries()) {
    const folder = join(directory, String(index))
    await t.rejects(createTrial(folder, { ...options, ...names }), { code: 'ERR_TRIAL_NAME' })
  }
})
