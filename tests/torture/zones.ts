/**
 * Every zone's every change of the clock from 2000 to 2037, through the real rollups: what was
 * counted around it stands once in an hour, once in a day, and in no hour that the wall clock does
 * not show.
 */
import { addOrganization } from '../../cloud-sync/tenants/organizations.ts';
import { findClockChanges, onePartitionForAllYears, wrongSums } from '../support/clock-changes.ts';
import { addTestStore } from '../support/hq.ts';
import { anyEngine, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';

export interface ZonesResult {
  readonly zones: number;
  readonly changes: number;
  readonly rows: number;
  readonly hours: number;
  readonly wrong: number;
}

/** A reading every half hour for a day before and after each change, each minute near to it. */
export async function tortureTheZones(tell: (text: string) => void): Promise<ZonesResult> {
  const hq = await openTestDatabase(anyEngine);
  try {
    await findClockChanges(hq);
    await onePartitionForAllYears(hq);
    const organization = await addOrganization(hq.db, { slug: 'zones', name: 'Zones' });
    const zones = await hq.asOwner<{ zone: string; changes: number }>(
      'select zone, count(*) as changes from clock_changes group by zone order by zone',
    );
    const total = { rows: 0, hours: 0, wrong: 0, changes: 0 };
    for (const { zone, changes } of zones) {
      const code = zone.replace(/[^A-Za-z0-9._-]/g, '-');
      const store = await addTestStore(hq, { timezone: zone, organization, code });
      const [sent] = await hq.asOwner<{ n: number }>(
        `with sent as (
           insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id,
             in_count, out_count, interval_s, gateway_id, gateway_sequence, received_at)
           select distinct on (m) $1::uuid, $2::uuid, m, 'door', extract(epoch from m)::bigint / 60 % 997,
             1, 60, gen_random_uuid(), 1, now()
           from clock_changes c, generate_series(at - interval '27 hours', at + interval '27 hours',
             interval '1 minute') m
           where c.zone = $3
             and (abs(extract(epoch from m - at)) < 7200 or extract(minute from m) in (0, 30))
           returning "timestamp"
         ), marked as (
           insert into app.rollup_dirty (organization_id, store_id, bucket)
           select distinct $1::uuid, $2::uuid, date_trunc('hour', "timestamp", $3) from sent)
         select count(*) as n from sent`,
        [organization.id, store.store_id, zone],
      );
      await rollEverything(hq.db);
      const wrong = await wrongSums(hq, store.store_id);
      if (wrong.length > 0) tell(`${zone}: ${JSON.stringify(wrong)}`);
      const [made] = await hq.asOwner<{ n: number }>(
        'select count(*) as n from store_hourly where organization_id = $1 and store_id = $2',
        [organization.id, store.store_id],
      );
      total.rows += sent?.n ?? 0;
      total.hours += made?.n ?? 0;
      total.changes += changes;
      total.wrong += wrong.length;
    }
    return { zones: zones.length, ...total };
  } finally {
    await hq.close();
  }
}
