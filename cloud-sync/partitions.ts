/** Creates the monthly partitions of the raw tables before readings need them. */
import type { Database } from './db/pool.ts';

/** A gateway may come back after a quarter; older readings stand in its quarantine with a code. */
const months_back = 3;
const months_ahead = 3;

/** Safe to run anywhere, any time: a lock in the database makes one caller do the work. */
export async function ensurePartitions(db: Database): Promise<number> {
  const [row] = await db.inTenant({}, 'app_operator', ({ query }) =>
    query<{ created: number }>('select app.ensure_partitions($1, $2) as created', [
      months_back,
      months_ahead,
    ]),
  );
  return row?.created ?? 0;
}
