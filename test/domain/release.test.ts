import t from 'tap'
import { release } from '../../src/domain/release.ts'

await t.test('large bytes give their memory back before the garbage is collected', async (t) => {
  const held = (): number => process.memoryUsage().arrayBuffers
  const before = held()
  const bytes = new Uint8Array(50_000_000)
  t.ok(held() > before + 40_000_000)
  await release(bytes)
  t.ok(held() < before + 10_000_000)
  t.equal(bytes.length, 0, 'and nothing can be read from them by mistake')
})
