import type { EpochMs } from '../../src/domain/frame.ts'
import type { Condition } from '../../src/health/warnings.ts'

/** What there is to say of a box that is well, until its certificate expires. */
export const wellUntil = (expiresAt: EpochMs): Condition => ({
  vision: { connected: true },
  cameras: [{ camera: 'c1', state: 'live' }],
  selftest: 'passed',
  models: [{ file: 'plates.onnx', state: 'ok' }],
  uncheckedRedactions: 0,
  unverifiedRedactions: 0,
  broker: { connected: true, code: null },
  outbox: { count: 0, oldestAt: null, setAside: [] },
  store: { bytes: 10, maxBytes: 100, failedAt: null, damaged: 0, keyless: 0, missingRows: 0, setAsides: [] },
  disk: { freeBytes: 1e9, freeFiles: null },
  auditFault: undefined,
  key: undefined,
  clock: { synchronized: true, source: 'chrony', offsetMs: 0, lastSyncAt: null },
  clockPlausible: true,
  certificates: [{ file: 'box.crt', expiresAt }],
})
