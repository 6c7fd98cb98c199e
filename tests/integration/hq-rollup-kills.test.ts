import { afterAll, beforeAll, expect, it } from 'vitest';
import { Database } from '../../cloud-sync/db/pool.ts';
import { sha256 } from '../../cloud-sync/gateways/credentials.ts';
import { enrollGateway } from '../../cloud-sync/gateways/enroll.ts';
import { ingestBatch } from '../../cloud-sync/ingest/ingest-batch.ts';
import { markForRebuild } from '../../cloud-sync/rollups/mark-hours.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, inviteTo, newSecret, noon, zone } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { results } from '../support/store-traffic.ts';

describeOnEngines('rollups', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(3, 3)');
  });
  afterAll(() => hq.close());

  const gatewayOf = async (store: TestStore) => {
    const token = await inviteTo(hq, store);
    const { secret_hash } = newSecret();
    const request = { token, secret_hash, name: 'store-pc', version: '0.1.0' };
    const { gateway_id, credential_id } = await enrollGateway(hq.db, request, Date.now());
    const { organization, store_id } = store;
    return { organization_id: organization.id, store_id, gateway_id, credential_id };
  };

  it('equal a computation from scratch after workers were killed while batches arrived', async () => {
    const first = await addTestStore(hq);
    const stores = [first, await addTestStore(hq, { organization: first.organization })];
    const senders = await Promise.all(stores.map(gatewayOf));
    const doomed = Array.from(
      { length: 3 },
      () => new Database({ url: hq.service_url, log: silentLog, name: 'doomed' }),
    );
    let sending = true;
    let kills = 0;
    let failures = 0;
    const workers = doomed.map(async (db) => {
      while (sending) {
        await rollEverything(db).catch(() => {
          failures += 1;
        });
      }
    });
    const killer = (async () => {
      while (sending) {
        const killed = await hq.asOwner(
          `select pg_terminate_backend(pid) from pg_stat_activity
           where application_name = 'doomed' and state <> 'idle' and datname = current_database()
           order by random() limit 1`,
        );
        kills += killed.length;
      }
    })();
    // Thirty hours back and forth, so that the same hours get dirty again and again.
    for (let i = 0; i < 60; i++) {
      await Promise.all(
        senders.map(async (gateway) => {
          const at = noon - ((i * 7) % 30) * 3_600_000;
          const readings = Array.from({ length: 20 }, (_, k) =>
            count(1 + i * 30 + k, {
              observed_at: at + (i * 20 + k) * 1000 + k * 60_000,
              sensor_id: `door-${k % 3}`,
              in: (i * 31 + k * 7) % 12,
              out: (i * 17 + k * 5) % 11,
              interval_s: 59.999,
            }),
          );
          const zones = [zone(21 + i * 30, { observed_at: at + i * 1000, occupancy: i % 9 })];
          const one = batch({ epoch: gateway.gateway_id }, [...readings, ...zones]);
          await ingestBatch(hq.db, gateway, one, sha256(one.batch_id));
        }),
      );
    }
    sending = false;
    await Promise.all([...workers, killer]);
    await Promise.all(doomed.map((db) => db.close()));
    await rollEverything(hq.db);
    expect(kills).toBeGreaterThan(10);
    expect(failures).toBeGreaterThan(0);

    const kept = await Promise.all(stores.map((store) => results(hq, store)));
    expect(kept.every((rows) => rows.length > 60)).toBe(true);
    await hq.asOwner(`truncate hourly_analytics, store_hourly, zone_hourly, daily_analytics`);
    await markForRebuild(hq.db, first.organization.id);
    await rollEverything(hq.db);
    const anew = await Promise.all(stores.map((store) => results(hq, store)));
    expect(anew).toEqual(kept);
    const [sums] = await hq.asOwner(
      `select ((select sum(in_count) from people_counting_raw) - (select sum(total_in) from store_hourly))::bigint as hours,
         ((select sum(in_count) from people_counting_raw) - (select sum(total_in) from daily_analytics))::bigint as days`,
    );
    expect(sums).toEqual({ hours: 0, days: 0 });
  }, 120_000);
});
