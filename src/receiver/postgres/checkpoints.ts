import { checkpointSchema } from '../../sealing/checkpoint.ts'
import { alarmReason, type CheckpointShelf, MAX_ALARMS } from '../witness.ts'
import type { Database, Sql } from './database.ts'
import { lock } from './locks.ts'

/**
 * Keeps the last checkpoint of each device and the alarms in the database that the receivers share. All of them hear every
 * checkpoint; the first one to come takes it, under a lock of the device, and to the others it is old. So a log that was put back is
 * found by whoever hears of it, and is one alarm.
 */
export function postgresCheckpoints({ transaction }: Database, now: () => number): CheckpointShelf {
  return {
    change: (device, judge) =>
      transaction(async (sql) => {
        await lock(sql, 'checkpoints', device)
        const { rows } = await sql('SELECT checkpoint, envelope FROM checkpoints WHERE device = $1', [device])
        const [row] = rows
        const last = row && checkpointSchema.parse(row['checkpoint'])
        const witnessed = judge(last)
        if (!witnessed) return false
        const { checkpoint, envelope, alarm } = witnessed
        if (row && last && alarm && (await alarmsOf(sql, device)) < MAX_ALARMS) {
          const at = new Date(now()).toISOString()
          await sql(
            'INSERT INTO alarms (device, at, reason, witnessed, received) VALUES ($1, $2, $3, $4, $5)',
            [device, at, alarmReason(alarm, last, at), row['envelope'], envelope],
          )
        }
        await sql(
          `INSERT INTO checkpoints (device, checkpoint, envelope) VALUES ($1, $2, $3)
           ON CONFLICT (device) DO UPDATE SET checkpoint = excluded.checkpoint, envelope = excluded.envelope`,
          [device, JSON.stringify(checkpoint), envelope],
        )
        return true
      }),
  }
}

async function alarmsOf(sql: Sql, device: string): Promise<number> {
  const { rows } = await sql('SELECT count(*) AS count FROM alarms WHERE device = $1', [device])
  return Number(rows[0]?.['count'])
}
