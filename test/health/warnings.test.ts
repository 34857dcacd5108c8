import t from 'tap'
import { judgeCondition } from '../../src/health/warnings.ts'
import type { Condition } from '../../src/health/warnings.ts'
import { wellUntil } from './condition.fixture.ts'
import { readExpiry } from '../../src/health/certificate.ts'

const now = Date.parse('2026-03-02T10:00:00Z')
const days = (count: number): number => now + count * 86_400_000
const well: Condition = { ...wellUntil(days(31)), outbox: { count: 1, oldestAt: now - 5_000, setAside: [] } }

await t.test('a box that is well has no warnings', async (t) => t.same(judgeCondition(well, now), []))

await t.test('each trouble has its code, its cause and what to do', async (t) => {
  const troubles: [Partial<Condition>, string, RegExp][] = [
    [{ vision: { connected: false } }, 'ERR_VISION_GONE', /vision/],
    [{ cameras: [{ camera: 'c1', state: 'down' }] }, 'ERR_CAMERA_DOWN', /c1/],
    [
      { cameras: [{ camera: 'c1', state: 'down', code: 'ERR_CAMERA_STALLED' }] },
      'ERR_CAMERA_STALLED',
      /c1 is down/,
    ],
    [{ uncheckedRedactions: 3 }, 'ERR_REDACTION_UNCHECKED', /3 violations/],
    [{ broker: { connected: false, code: null } }, 'ERR_BROKER_LOST', /broker/],
    [{ broker: { connected: false, code: 'ERR_BROKER_TLS' } }, 'ERR_BROKER_TLS', /broker/],
    [
      { outbox: { ...well.outbox, count: 2, oldestAt: now - 2 * 3_600_000 } },
      'ERR_BACKLOG_OLD',
      /2 evidence.*2 h/,
    ],
    [
      { outbox: { ...well.outbox, setAside: [{ code: 'ERR_MESSAGE_TOO_LARGE', count: 2 }] } },
      'ERR_MESSAGE_TOO_LARGE',
      /2 evidence/,
    ],
    [{ models: undefined }, 'ERR_MODEL_MANIFEST', /manifest/],
    [{ models: [{ file: 'plates.onnx', state: 'wrong' }] }, 'ERR_MODEL_HASH', /plates.onnx is not/],
    [{ models: [{ file: 'plates.onnx', state: 'missing' }] }, 'ERR_MODEL_MISSING', /plates.onnx is missing/],
    [{ unverifiedRedactions: 2 }, 'ERR_REDACTION_UNVERIFIED', /2 violations.*again/],
    [{ store: { ...well.store, bytes: 81 } }, 'ERR_STORE_NEARLY_FULL', /81 %/],
    [{ store: { ...well.store, damaged: 2 } }, 'ERR_STORE_CORRUPT', /2 evidence/],
    [{ store: { ...well.store, keyless: 2 } }, 'ERR_DAY_KEY', /2 evidence/],
    [{ store: { ...well.store, missingRows: 5 } }, 'ERR_STORE_ROLLED_BACK', /5 rows/],
    [
      { store: { ...well.store, holdsEverything: 'rollback-2026' } },
      'ERR_EVERYTHING_HELD',
      /case rollback-2026/,
    ],
    [
      {
        store: {
          ...well.store,
          setAsides: [
            {
              ...{ at: '2026-03-01T08:00:00.000Z', saved: 7, lost: ['a', 'b', 'c'], unnamed: 2 },
              lostUnderHold: [
                { evidenceId: 'a', cases: ['7/26', '8/26'] },
                { evidenceId: 'b', cases: [] },
              ],
            },
          ],
        },
      },
      'ERR_STORE_SALVAGED',
      /2026-03-01: 7 evidence were saved, 3 were not, and up to 2 more.*; lost under a legal hold: a \(case 7\/26, 8\/26\), b$/,
    ],
    [{ disk: { freeBytes: 1e6, freeFiles: null } }, 'ERR_DISK_FULL', /1 MB left/],
    [{ disk: { freeBytes: 1e9, freeFiles: 3 } }, 'ERR_DISK_FULL', /3 more files/],
    [{ auditFault: 'row 7 is missing' }, 'ERR_AUDIT_BROKEN', /row 7/],
    [{ key: { code: 'ERR_KEY_RECOVERY', message: 'no wrap' } }, 'ERR_KEY_RECOVERY', /no wrap/],
    [{ store: { ...well.store, failedAt: days(-6) } }, 'ERR_STORE_IO', /opened anew/],
    [{ clockPlausible: false }, 'ERR_CLOCK_WRONG', /shows 2026-03-02T10:00:00.000Z, which is past already/],
    [{ clock: { ...well.clock, synchronized: false } }, 'ERR_CLOCK_UNSYNCHRONIZED', /not synchronized/],
    [{ clock: { ...well.clock, synchronized: null } }, 'ERR_CLOCK_UNSYNCHRONIZED', /not known/],
    [{ certificates: [{ file: 'a.crt', expiresAt: days(29) }] }, 'ERR_CERTIFICATE_EXPIRY', /in 29 days/],
    [{ certificates: [{ file: 'a.crt', expiresAt: days(-1) }] }, 'ERR_CERTIFICATE_EXPIRY', /has expired/],
    [{ certificates: [{ file: 'a.crt', expiresAt: undefined }] }, 'ERR_CERTIFICATE_UNREADABLE', /a\.crt/],
  ]
  for (const [trouble, code, message] of troubles) {
    const warnings = judgeCondition({ ...well, ...trouble }, now)
    t.equal(warnings.length, 1, code)
    t.match(warnings[0], { code, message, hint: /\w/ })
  }
})

await t.test('a file without a certificate has no expiry', async (t) => {
  t.equal(await readExpiry(import.meta.filename), undefined)
  t.equal(await readExpiry('/nowhere'), undefined)
})
