import { generateHybridIdentity, identityToRecipient } from 'age-encryption'
import t from 'tap'
import { recipientSchema } from '../../src/config/schema.ts'
import { parseIdentityFile } from '../../src/sealing/identity.ts'
import { openEvidence } from '../../src/sealing/open.ts'
import { sealEvidence } from '../../src/sealing/seal.ts'
import { evidenceFixture } from './evidence.fixture.ts'
import { signingKeyFixture, verifyKeysOf } from './keys.fixture.ts'

await t.test('evidence may be sealed to hybrid post-quantum recipients', async (t) => {
  const identities = [await generateHybridIdentity(), await generateHybridIdentity()]
  const [operational = '', recovery = ''] = await Promise.all(identities.map(identityToRecipient))
  for (const recipient of [operational, recovery]) t.equal(recipientSchema.parse(recipient), recipient)
  const signingKey = signingKeyFixture()
  const evidence = evidenceFixture({})
  const recipients = { operational, recovery }
  const sealed = await sealEvidence(evidence, { signingKey, recipients, sealedAt: 1000 })
  for (const text of identities) {
    const { identity } = await parseIdentityFile(`# created by age-keygen\n${text}\n`)
    const city = { deviceId: evidence.facts.device, deviceKeys: verifyKeysOf(signingKey), identity }
    const opened = await openEvidence(sealed.manifest, Buffer.concat(sealed.chunks), city)
    t.same(opened.facts, evidence.facts)
  }
})
