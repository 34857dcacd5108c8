import { randomBytes, randomUUID } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Receipt } from '../../src/domain/receipt.ts'
import { DEFAULT_INCOMING_LIMITS } from '../../src/receiver/incoming.ts'
import { createCityIdentity } from '../../src/sealing/identity.ts'
import { createSigningKey, loadPublicKey } from '../../src/sealing/keys.ts'
import { verifyReceipt } from '../../src/sealing/receipt.ts'
import { type SealedEvidence, sealEvidence } from '../../src/sealing/seal.ts'
import { DEVICE, setUpStreet, SITE, type Street } from '../support/delivery.ts'
import { until } from '../support/until.ts'
import { syntheticEvidence } from '../support/evidence.ts'

/** A box that does by hand what the forwarder would not, and keeps the receipts. */
async function handBox(street: Street) {
  const receipts: Receipt[] = []
  const { id, publicKey } = loadPublicKey(street.trial.box.receiptPublicKey)
  const connection = await street.connectAs(
    'box',
    [`roadveil/v1/${SITE}/${DEVICE}/receipt/+`],
    ({ payload }) => {
      receipts.push(verifyReceipt(payload, new Map([[id, publicKey]]), { deviceId: DEVICE }))
    },
  )
  const topic = (evidenceId: string): string => `roadveil/v1/${SITE}/${DEVICE}/evidence/${evidenceId}`
  return {
    receipts,
    connection,
    announce: async (sealed: SealedEvidence, as = sealed.evidenceId) => {
      await connection.publish(`${topic(as)}/manifest`, Buffer.from(sealed.manifest))
    },
    send: async (sealed: SealedEvidence, index: number, bytes?: Uint8Array) => {
      const chunk = Buffer.from(bytes ?? sealed.chunks[index] ?? [])
      await connection.publish(`${topic(sealed.evidenceId)}/chunk/${index}`, chunk)
    },
    answer: async (status: Receipt['status'], count = 1): Promise<Receipt> => {
      const found = () => receipts.filter((receipt) => receipt.status === status)
      await until(`the city answers ${status}`, () => found().length >= count)
      return found().at(-1) as Receipt
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}

async function listening(street: Street): Promise<void> {
  await until('the city listens', () => street.log.lines.some(({ message }) => /^connected/.test(message)))
}

const quarantined = (street: Street): string[] => {
  const folder = join(street.config.stateDirectory, 'quarantine')
  return existsSync(folder) ? readdirSync(folder) : []
}

await t.test('a chunk that was changed on the way is refused and asked for again', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.startCity()
  await listening(street)
  await using box = await handBox(street)
  const sealed = await street.seal()
  await box.announce(sealed)
  t.strictSame((await box.answer('incomplete')).missing, [0, 1])
  const changed = Buffer.from(sealed.chunks[1] ?? [])
  changed[500] = (changed[500] ?? 0) ^ 1
  await box.send(sealed, 0)
  await box.send(sealed, 1, changed)
  await until('the changed one was refused', () =>
    street.log.lines.some(
      ({ fields }) => (fields?.error as { code?: string } | undefined)?.code === 'ERR_CHUNK_CHANGED',
    ),
  )
  // A slow machine is asked again before the chunks were looked at, too.
  await until('it is asked for again', () => box.receipts.at(-1)?.missing?.join() === '1')
  await box.send(sealed, 1)
  const { ciphertextSha256 } = await box.answer('stored')
  t.equal(ciphertextSha256, sealed.ciphertextSha256)
})

await t.test('a redelivery is answered duplicate and stored once, also after a restart', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const first = street.startCity()
  await listening(street)
  await using box = await handBox(street)
  const sealed = await street.seal()
  await box.announce(sealed)
  for (const index of sealed.chunks.keys()) await box.send(sealed, index)
  await box.answer('stored')
  for (const index of sealed.chunks.keys()) await box.send(sealed, index)
  await box.announce(sealed)
  await box.answer('duplicate')
  await first.stop()
  street.startCity()
  await box.announce(sealed)
  await box.answer('duplicate', 2)
  t.equal(street.stored.length, 1)

  // The city lost the bytes: then it must not say that it has them.
  rmSync(join(street.stored[0]?.location ?? '', 'sealed', 'evidence.tar.age'))
  await box.announce(sealed)
  t.equal((await box.answer('rejected')).reason, 'ERR_EVIDENCE_CONFLICT')
})

await t.test('other evidence under an id that is stored is refused, and the first stays', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.startCity()
  await listening(street)
  await using box = await handBox(street)
  const evidenceId = randomUUID()
  const [one, two] = [await street.seal({ evidenceId }), await street.seal({ evidenceId })]
  await box.announce(one)
  for (const index of one.chunks.keys()) await box.send(one, index)
  await box.answer('stored')
  await box.announce(two)
  const { reason, ciphertextSha256 } = await box.answer('rejected')
  t.strictSame([reason, ciphertextSha256], ['ERR_EVIDENCE_CONFLICT', two.ciphertextSha256])
  const file = join(street.stored[0]?.location ?? '', 'sealed', 'evidence.tar.age')
  t.strictSame(readFileSync(file), Buffer.concat(one.chunks))
})

await t.test('bad evidence is set aside with the reason and answered rejected', async (t) => {
  const directory = t.testdir()
  await using street = await setUpStreet(directory)
  street.startCity()
  await listening(street)
  await using box = await handBox(street)
  const key = createSigningKey({ privateFile: `${directory}/x.key`, publicFile: `${directory}/x.pem` })
  const evidence = syntheticEvidence({ site: SITE, device: DEVICE })
  const { recipients } = street.trial
  const forged = await sealEvidence(evidence, { signingKey: key, recipients, sealedAt: Date.now() })
  await box.announce(forged)
  t.equal((await box.answer('rejected')).reason, 'ERR_KEY_UNKNOWN')

  const elsewhere = await street.seal({ site: 'elsewhere' })
  await box.announce(elsewhere)
  t.equal((await box.answer('rejected', 2)).reason, 'ERR_MANIFEST_MISMATCH')

  const stranger = await createCityIdentity()
  const foreign = { operational: stranger.recipient, recovery: stranger.recipient }
  const unreadable = await sealEvidence(syntheticEvidence({ site: SITE, device: DEVICE }), {
    signingKey: street.deviceKey,
    recipients: foreign,
    sealedAt: Date.now(),
  })
  await box.announce(unreadable)
  for (const index of unreadable.chunks.keys()) await box.send(unreadable, index)
  t.equal((await box.answer('rejected', 3)).reason, 'ERR_DECRYPT_FAILED')

  rmSync(join(street.config.devicesDirectory, `${DEVICE}.pem`))
  const unknown = await street.seal()
  await box.announce(unknown)
  t.equal((await box.answer('rejected', 4)).reason, 'ERR_DEVICE_UNKNOWN')

  const all = [forged, elsewhere, unreadable, unknown]
  t.strictSame(quarantined(street).sort(), all.map(({ evidenceId }) => `${DEVICE}.${evidenceId}`).sort())
  const folder = join(street.config.stateDirectory, 'quarantine', `${DEVICE}.${unreadable.evidenceId}`)
  t.match(JSON.parse(readFileSync(join(folder, 'reason.json'), 'utf8')), {
    device: DEVICE,
    evidenceId: unreadable.evidenceId,
    code: 'ERR_DECRYPT_FAILED',
  })
  t.strictSame(readFileSync(join(folder, 'evidence.tar.age')), Buffer.concat(unreadable.chunks))
  t.strictSame(readdirSync(street.trial.city.evidence), [])
})

await t.test('parts that never come do not keep the rest of the evidence of their box out', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.startCity({ ...DEFAULT_INCOMING_LIMITS, maxPerDevice: 3 })
  await listening(street)
  await using box = await handBox(street)
  for (let index = 0; index < 5; index++) await box.announce(await street.seal())
  await until('each was answered', () => new Set(box.receipts.map((r) => r.evidenceId)).size === 5)
  t.equal(readdirSync(join(street.config.stateDirectory, 'incoming', DEVICE)).length, 3)
  const sealed = await street.seal()
  await box.announce(sealed)
  for (const index of sealed.chunks.keys()) await box.send(sealed, index)
  await until('the next one is stored', () => street.stored.length === 1)
})

await t.test('boxes that announce without end fill neither disk nor memory', async (t) => {
  await using street = await setUpStreet(t.testdir())
  street.startCity({ ...DEFAULT_INCOMING_LIMITS, maxAssemblies: 3, idleMs: 300 })
  await listening(street)
  await using box = await handBox(street)
  const sealed: SealedEvidence[] = []
  for (let index = 0; index < 5; index++) {
    sealed.push(await street.seal())
    await box.announce(sealed[index] as SealedEvidence)
  }
  const limited = () =>
    street.log.lines.filter(
      ({ fields }) => (fields?.error as { code?: string } | undefined)?.code === 'ERR_ASSEMBLY_LIMIT',
    )
  await until('two are left unanswered', () => limited().length === 2)
  const incoming = join(street.config.stateDirectory, 'incoming', DEVICE)
  t.equal(readdirSync(incoming).length, 3)
  await until('the idle ones were asked for', () => box.receipts.length === 6)
  await new Promise((resolve) => setTimeout(resolve, 350))
  await box.announce(sealed[4] as SealedEvidence)
  await until('there is room again', () => box.receipts.some((r) => r.evidenceId === sealed[4]?.evidenceId))
  t.equal(readdirSync(incoming).length, 3)
})

await t.test(
  'hundreds of hostile messages each give a code, leave the folder alone, and the next good one works',
  async (t) => {
    const directory = t.testdir()
    await using street = await setUpStreet(directory)
    street.startCity()
    await listening(street)
    await using box = await handBox(street)
    const sealed = await street.seal()
    const good = Buffer.from(sealed.manifest)
    const base = `roadveil/v1/${SITE}/${DEVICE}`
    const names = [
      '..',
      '.',
      '%2e%2e',
      'x'.repeat(300),
      '\\..\\..',
      ' ',
      'é',
      '0',
      sealed.evidenceId.toUpperCase(),
    ]
    let sent = 0
    const refusals = () =>
      street.log.lines.filter(({ message }) => /^a message was not taken|^evidence was refused/.test(message))
    const send = async (topic: string, payload: Buffer): Promise<void> => {
      await box.connection.publish(topic, payload)
      sent += 1
    }
    for (const name of names) {
      await send(`${base}/evidence/${name}/manifest`, good)
      await send(`${base}/evidence/${name}/chunk/0`, good)
      await send(`${base}/evidence/${sealed.evidenceId}/chunk/${name}`, good)
      await send(`roadveil/v1/${name}/${DEVICE}/status`, good)
    }
    for (let index = 0; index < 150; index++) {
      const payload = Buffer.from(good)
      const at = Math.floor((index / 150) * payload.length)
      payload[at] = (payload[at] ?? 0) ^ (1 + (index % 127))
      await send(`${base}/evidence/${sealed.evidenceId}/manifest`, payload)
      await send(`${base}/evidence/${randomUUID()}/chunk/${index}`, randomBytes(index))
      await send(`${base}/status`, randomBytes(index * 10))
    }
    await send(`${base}/evidence/${sealed.evidenceId}/manifest`, randomBytes(120_000))
    // A busy machine may lose the connection, and what was on its way comes twice.
    await until('all were refused', () => refusals().length >= sent)
    for (const { fields } of refusals()) t.match((fields?.error as { code?: string }).code, /^ERR_/)
    t.strictSame(readdirSync(directory).sort(), ['store', 'trial'])
    t.strictSame(readdirSync(street.trial.city.evidence), [])

    await box.announce(sealed)
    await box.answer('incomplete')
    await box.send(sealed, sealed.chunks.length, randomBytes(10))
    for (const index of sealed.chunks.keys()) await box.send(sealed, index)
    await box.answer('stored')
    t.strictSame(quarantined(street), [`${DEVICE}.${sealed.evidenceId}`])
  },
)
