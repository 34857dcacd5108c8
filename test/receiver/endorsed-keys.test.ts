import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createEndorsedKeys } from '../../src/receiver/endorsed-keys.ts'
import { folderEndorsements } from '../../src/receiver/folder/endorsements.ts'
import { signEndorsement } from '../../src/sealing/endorsement.ts'
import type { SigningKey } from '../../src/sealing/keys.ts'
import { type SealedEvidence, sealEvidence } from '../../src/sealing/seal.ts'
import { signingKeyFixture, verifyKeysOf } from '../sealing/keys.fixture.ts'
import { DEVICE, setUpStreet, SITE, type Street } from '../support/delivery.ts'
import { syntheticEvidence } from '../support/evidence.ts'
import { keptLog } from '../support/kept-log.ts'
import { until } from '../support/until.ts'

const issuedAt = '2026-03-01T08:00:00.000Z'

function endorse(old: SigningKey, next: SigningKey, device = DEVICE): Buffer {
  return Buffer.from(signEndorsement({ device, issuedAt, next }, old))
}

function keysIn(folder: string, ...trusted: SigningKey[]) {
  return createEndorsedKeys(folderEndorsements(folder), async () => verifyKeysOf(...trusted), keptLog())
}

/** Puts evidence that this key has signed into the box's store. */
async function commitSignedBy(signingKey: SigningKey, { store, trial }: Street): Promise<SealedEvidence> {
  const at = Date.now()
  const evidence = syntheticEvidence({ site: SITE, device: DEVICE })
  const sealed = await sealEvidence(evidence, { signingKey, recipients: trial.recipients, sealedAt: at })
  store.evidence.commit(sealed, { camera: 'bus-stop', ruleId: 'no-stopping-1', judgedAt: at, at })
  return sealed
}

const [one, two, three, thief] = [
  signingKeyFixture(),
  signingKeyFixture(),
  signingKeyFixture(),
  signingKeyFixture(),
]

await t.test('a key is accepted when a known one endorsed it, and outlives a restart', async (t) => {
  const folder = t.testdir()
  const before = keysIn(folder, one)
  await t.rejects(before.take({ device: DEVICE, keyId: three.id }, endorse(two, three)), {
    code: 'ERR_KEY_UNKNOWN',
  })
  await before.take({ device: DEVICE, keyId: two.id }, endorse(one, two))
  await before.take({ device: DEVICE, keyId: three.id }, endorse(two, three))
  await before.take({ device: DEVICE, keyId: three.id }, endorse(two, three))
  for (const keys of [before, keysIn(folder, one)]) {
    t.same([...(await keys.deviceKeys(DEVICE)).keys()].sort(), [one.id, two.id, three.id].sort())
  }
  t.same([...(await before.deviceKeys('box-2')).keys()], [one.id], 'what one box says is not for another')
})

await t.test('an old key that somebody found endorses nobody else', async (t) => {
  const keys = keysIn(t.testdir(), one)
  await keys.take({ device: DEVICE, keyId: two.id }, endorse(one, two))
  await t.rejects(keys.take({ device: DEVICE, keyId: thief.id }, endorse(one, thief)), {
    code: 'ERR_ENDORSEMENT_CONFLICT',
  })
  t.notOk((await keys.deviceKeys(DEVICE)).has(thief.id))
})

await t.test('a key that a human puts in place begins anew', async (t) => {
  const folder = t.testdir()
  await keysIn(folder, one).take({ device: DEVICE, keyId: two.id }, endorse(one, two))
  const keys = keysIn(folder, three)
  t.same([...(await keys.deviceKeys(DEVICE)).keys()], [three.id])
  await keys.take({ device: DEVICE, keyId: thief.id }, endorse(three, thief))
  t.ok((await keys.deviceKeys(DEVICE)).has(thief.id))
})

await t.test('what is forged, foreign or damaged counts for nothing', async (t) => {
  const folder = t.testdir()
  const keys = keysIn(folder, one)
  const wrong: [Buffer, string][] = [
    [endorse({ ...thief, id: one.id }, two), 'ERR_SIGNATURE_INVALID'],
    [endorse(one, two, 'box-2'), 'ERR_ENDORSEMENT_INVALID'],
    [endorse(one, three), 'ERR_ENDORSEMENT_INVALID'],
    [Buffer.alloc(5000, ' '), 'ERR_MESSAGE'],
    [Buffer.from('{}'), 'ERR_ENVELOPE_MALFORMED'],
  ]
  for (const [payload, code] of wrong) {
    await t.rejects(keys.take({ device: DEVICE, keyId: two.id }, payload), { code })
  }
  await keys.take({ device: DEVICE, keyId: two.id }, endorse(one, two))
  const below = join(folder, 'endorsements', DEVICE)
  t.same(readdirSync(below), [`${two.id}.dsse.json`])
  writeFileSync(join(below, 'planted.dsse.json'), endorse({ ...thief, id: one.id }, thief))
  writeFileSync(join(below, 'noise.dsse.json'), 'noise')
  t.same([...(await keys.deviceKeys(DEVICE)).keys()].sort(), [one.id, two.id].sort())
})

await t.test('evidence of before and after a rotation of the signing key arrives', async (t) => {
  await using street = await setUpStreet(t.testdir())
  const old = await street.commit()
  const next = signingKeyFixture()
  const sealed = await commitSignedBy(next, street)
  street.startCity()
  await using box = street.startBox({}, [{ keyId: next.id, envelope: endorse(street.deviceKey, next) }])
  t.ok(box)
  await until('both arrive', () => street.stored.length === 2)
  t.same(
    new Set(street.stored.map(({ evidenceId }) => evidenceId)),
    new Set([old.evidenceId, sealed.evidenceId]),
  )
})

await t.test('evidence that is signed with a key nobody endorsed does not', async (t) => {
  await using street = await setUpStreet(t.testdir())
  await commitSignedBy(thief, street)
  street.startCity()
  const forged = endorse({ ...thief, id: street.deviceKey.id }, thief)
  await using box = street.startBox({}, [{ keyId: thief.id, envelope: forged }])
  await until('it is refused', () => box.forwarder.state().lastErrorCode === 'ERR_EVIDENCE_REJECTED')
  t.same(street.stored, [])
  const refused = street.log.lines.filter(({ message }) => message === 'a message was not taken')
  t.match(refused, [{ fields: { error: { code: 'ERR_SIGNATURE_INVALID' } } }])
})
