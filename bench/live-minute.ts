/**
 * One minute of a store arrives, and its hour and day are right again: what that costs must not depend
 * on how long the store has been counting.
 */

import type { Database } from '../cloud-sync/db/pool.ts';
import { runOnce } from '../cloud-sync/db/pool.ts';
import type { GatewayIdentity } from '../cloud-sync/gateways/credentials.ts';
import { markForRebuild } from '../cloud-sync/rollups/mark-hours.ts';
import type { Organization } from '../cloud-sync/tenants/organizations.ts';
import { median, round2 } from './figures.ts';
import { batches, deliver, minute_ms, sensors, settle, storeOf, timed } from './store-days.ts';

/** Days before today. */
const histories = [0, 30, 365];
const minutes = 40;
/** Of the longest history, against a store that began to count today. */
const growth_max = 1.25;

export interface LiveMinute {
  readonly history_days: number;
  readonly ms: number;
}

/** @param until the last whole hour, ms since the epoch. */
export async function liveMinutes(
  db: Database,
  owner_url: string,
  organization: Organization,
  until: number,
): Promise<{ measured: LiveMinute[]; growth: number; lines: string[] }> {
  await runOnce(owner_url, (query) => query('select app.ensure_partitions(14, 3)'));
  const stores = [];
  for (const history_days of histories) {
    const gateway = await storeOf(db, organization, `since-${history_days}`);
    await fill(owner_url, gateway, history_days, until);
    await markForRebuild(db, organization.id, gateway.store_id);
    stores.push({ history_days, gateway, took: [] as number[] });
  }
  await settle(db, organization.id);
  await runOnce(owner_url, (query) => query('vacuum analyze'));
  // In turns, so that whatever else this machine does strikes all of them.
  for (let i = 0; i < minutes; i += 1) {
    for (const { gateway, took } of stores) {
      const [one] = batches(until + i * minute_ms, until + (i + 1) * minute_ms, 1 + i * sensors);
      took.push(
        await timed(async () => {
          await deliver(db, gateway, one === undefined ? [] : [one]);
          await settle(db, organization.id);
        }),
      );
    }
  }
  const measured = stores.map(({ history_days, took }) => ({
    history_days,
    ms: round2(median(took)),
  }));
  const growth = round2((measured.at(-1)?.ms ?? Number.NaN) / (measured[0]?.ms ?? Number.NaN));
  return {
    measured,
    growth,
    lines: [
      ...measured.map(
        ({ history_days, ms }) =>
          `a live minute, ${String(history_days).padStart(3)} days before today   ${ms} ms`,
      ),
      `growth from the first to the last       ${growth} (limit ${growth_max})`,
    ],
  };
}

/** Quarter hours of every sensor, from so many days before today's midnight on. */
async function fill(
  owner_url: string,
  { organization_id, store_id, gateway_id }: GatewayIdentity,
  history_days: number,
  until: number,
): Promise<void> {
  await runOnce(owner_url, (query) =>
    query(
      `insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id, in_count,
         out_count, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, t, 'door-' || s, (extract(epoch from t)::bigint / 900 + s) % 31,
         (extract(epoch from t)::bigint / 900 + 3 * s) % 29, 900, $3, 1, t
       from generate_series(
         date_trunc('day', to_timestamp($4::float8 / 1000), 'Europe/Madrid') - $5 * interval '1 day',
         to_timestamp($4::float8 / 1000) - interval '1 minute', interval '15 minutes') t,
         generate_series(0, ${sensors - 1}) s`,
      [organization_id, store_id, gateway_id, until, history_days],
    ),
  );
}
