/** A Monday of a store in Madrid, well in the past and in winter time: one hour ahead of UTC. */
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { parseTradingHours, setTradingHours } from '../../cloud-sync/tenants/trading-hours.ts';
import type { TestStore } from './hq.ts';
import type { TestDatabase } from './postgres.ts';
import type { Count } from './store-traffic.ts';

const minute = 60_000;
const hour = 60 * minute;

/** Its midnight in UTC, ms since the epoch. */
export const monday = (() => {
  const year = new Date().getUTCFullYear() - 1;
  const first = new Date(Date.UTC(year, 10, 2));
  return Date.UTC(year, 10, 2 + ((8 - first.getUTCDay()) % 7));
})();

/** An instant of that Monday by Madrid's clock, ms since the epoch. */
export function at(clock: string): number {
  const [h = 0, m = 0] = clock.split(':').map(Number);
  return monday + (h - 1) * hour + m * minute;
}

/** One reading a minute over an hour; those who come in leave in its last minute. */
export function anHour(sensor_id: string, from: number, ins: number, outs = ins): Count[] {
  return Array.from({ length: 60 }, (_, i) => ({
    sensor_id,
    at: from + i * minute,
    in: i === 0 ? ins : 0,
    out: i === 59 ? outs : 0,
  }));
}

/** Every day from one time to another. */
export async function opens(
  hq: TestDatabase,
  store: TestStore,
  from: string,
  to: string,
): Promise<void> {
  const { organization, code } = store;
  const known = await storeByCode(hq.db, organization, code);
  await setTradingHours(hq.db, organization, known, parseTradingHours(`1-7 ${from}-${to}`));
}

/** Columns of that Monday's row, or of the row so many days later. */
export async function day(hq: TestDatabase, store: TestStore, columns: string, after_days = 0) {
  const [row] = await hq.asOwner(
    `select ${columns} from daily_analytics d where store_id = $1 and date = $2`,
    [store.store_id, new Date(monday + after_days * 24 * hour)],
  );
  return row;
}
