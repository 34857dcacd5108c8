import { type EpochMs, iso } from '../domain/frame.ts'
import { RoadveilError } from '../errors.ts'
import type { Audit } from './audit.ts'
import { query, type StoreDatabase, transact } from './database.ts'

/** What a hold is on when it is not on one evidence: everything that fits all that is set, whenever it was or will be stored. */
export interface HoldCriteria {
  readonly camera?: string | undefined
  readonly ruleId?: string | undefined
  /** Judged at this moment or later. */
  readonly from?: EpochMs | undefined
  /** Judged before this moment. */
  readonly until?: EpochMs | undefined
}

/** One hold in force. */
export interface Hold {
  readonly caseNumber: string | null
  readonly reason: string
  readonly by: string
  readonly at: EpochMs
  /** null where it is on criteria. */
  readonly evidenceId: string | null
  readonly camera: string | null
  readonly ruleId: string | null
  readonly from: EpochMs | null
  readonly until: EpochMs | null
}

/** Who ends or places a hold, and why. */
interface Act {
  readonly reason: string
  readonly by: string
  readonly at: EpochMs
}

/** Legal holds: while one is on an evidence, nothing deletes it. Several cases may hold the same. */
export interface Holds {
  /** Throws ERR_EVIDENCE_UNKNOWN, ERR_HOLD_EXISTS where the case, or without a case anybody, holds it already. */
  place(evidenceId: string, hold: Act & { readonly caseNumber?: string | undefined }): void
  /** Holds everything that fits the criteria, and returns how much that is now. Throws ERR_HOLD_EXISTS where the case has that hold. */
  placeOn(criteria: HoldCriteria, hold: Act & { readonly caseNumber: string }): number
  /**
   * Ends the hold on one evidence. The next purge deletes it if the city has it and nothing else holds it.
   *
   * Throws ERR_EVIDENCE_UNKNOWN, ERR_HOLD_UNKNOWN, ERR_HOLD_CASE where several cases hold it and none is named.
   */
  release(evidenceId: string, release: Act & { readonly caseNumber?: string | undefined }): void
  /** Ends every hold of a case and returns how many they were. Throws ERR_HOLD_UNKNOWN. */
  releaseCase(caseNumber: string, release: Act): number
  /** In the order in which they were placed. */
  list(): readonly Hold[]
}

interface Row extends Hold {
  number: number
}

/** @param marked called when a hold was placed or released: notes how far the store has come. */
export function holdsOf(db: StoreDatabase, audit: Audit, marked: () => void): Holds {
  const columns = `case_number AS caseNumber, reason, placed_by AS "by", placed_at AS "at",
    evidence_id AS evidenceId, legal_hold.camera, legal_hold.rule_id AS ruleId,
    judged_from AS "from", judged_until AS "until"`
  const from = 'FROM legal_hold LEFT JOIN evidence USING (sequence)'
  const all = db.prepare<[], Hold>(`SELECT ${columns} ${from} ORDER BY hold_number`)
  const onOne = db.prepare<[string], Row>(
    `SELECT hold_number AS number, ${columns} ${from} WHERE evidence_id = ?`,
  )
  const ofCase = db.prepare<[string], Row>(
    `SELECT hold_number AS number, ${columns} ${from} WHERE case_number = ? ORDER BY hold_number`,
  )
  const find = db.prepare<[string], { sequence: number }>(
    'SELECT sequence FROM evidence WHERE evidence_id = ?',
  )
  const insert = db.prepare<
    [
      string | null,
      string,
      string,
      number,
      number | null,
      string | null,
      string | null,
      number | null,
      number | null,
    ]
  >(
    `INSERT INTO legal_hold (case_number, reason, placed_by, placed_at, sequence, camera, rule_id, judged_from, judged_until)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  const remove = db.prepare<[number]>('DELETE FROM legal_hold WHERE hold_number = ?')
  const fitting = db.prepare<[number | bigint], { count: number }>(
    'SELECT count(*) AS count FROM held WHERE hold_number = ?',
  )

  function sequenceOf(evidenceId: string): number {
    const row = find.get(evidenceId)
    if (!row) throw new RoadveilError('ERR_EVIDENCE_UNKNOWN', `evidence ${evidenceId} is not stored`)
    return row.sequence
  }

  function end(hold: Row, { reason, by, at }: Act): void {
    remove.run(hold.number)
    audit.append('hold-released', { ...scopeOf(hold), reason, by }, at)
  }

  return {
    place(evidenceId, { caseNumber, reason, by, at }) {
      transact(db, () => {
        const sequence = sequenceOf(evidenceId)
        const holds = onOne.all(evidenceId)
        const isHeld =
          caseNumber === undefined ? holds.length > 0 : holds.some((hold) => hold.caseNumber === caseNumber)
        if (isHeld) throw new RoadveilError('ERR_HOLD_EXISTS', `a hold is on ${evidenceId} already`)
        insert.run(caseNumber ?? null, reason, by, Math.trunc(at), sequence, null, null, null, null)
        const named = caseNumber === undefined ? {} : { caseNumber }
        audit.append('hold-placed', { evidenceId, ...named, reason, by }, at)
      })
      marked()
    },

    placeOn({ camera = null, ruleId = null, from = null, until = null }, { caseNumber, reason, by, at }) {
      const count = transact(db, () => {
        const scope = { caseNumber, evidenceId: null, camera, ruleId, from, until }
        const same = JSON.stringify(scopeOf(scope))
        if (ofCase.all(caseNumber).some((hold) => JSON.stringify(scopeOf(hold)) === same)) {
          throw new RoadveilError('ERR_HOLD_EXISTS', 'the case has this hold already')
        }
        const placedAt = Math.trunc(at)
        const { lastInsertRowid } = insert.run(
          caseNumber,
          reason,
          by,
          placedAt,
          null,
          camera,
          ruleId,
          from,
          until,
        )
        audit.append('hold-placed', { ...scopeOf(scope), reason, by }, at)
        return fitting.get(lastInsertRowid)?.count ?? 0
      })
      marked()
      return count
    },

    release(evidenceId, { caseNumber, ...act }) {
      transact(db, () => {
        sequenceOf(evidenceId)
        const holds = onOne.all(evidenceId)
        const [hold, another] =
          caseNumber === undefined ? holds : holds.filter((each) => each.caseNumber === caseNumber)
        if (!hold) throw new RoadveilError('ERR_HOLD_UNKNOWN', `no hold is on ${evidenceId} alone`)
        if (another) throw new RoadveilError('ERR_HOLD_CASE', `several cases hold ${evidenceId}`)
        end(hold, act)
      })
      marked()
    },

    releaseCase(caseNumber, act) {
      const count = transact(db, () => {
        const holds = ofCase.all(caseNumber)
        if (holds.length === 0) throw new RoadveilError('ERR_HOLD_UNKNOWN', 'the case has no hold')
        for (const hold of holds) end(hold, act)
        return holds.length
      })
      marked()
      return count
    },

    list: () => query(() => all.all()),
  }
}

/** What a hold is on, as the audit log says it. */
function scopeOf({
  caseNumber,
  evidenceId,
  camera,
  ruleId,
  from,
  until,
}: Omit<Hold, 'reason' | 'by' | 'at'>): Record<string, string> {
  return {
    ...(caseNumber !== null && { caseNumber }),
    ...(evidenceId !== null && { evidenceId }),
    ...(camera !== null && { camera }),
    ...(ruleId !== null && { ruleId }),
    ...(from !== null && { from: iso(from) }),
    ...(until !== null && { until: iso(until) }),
  }
}
