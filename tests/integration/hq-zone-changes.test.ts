import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addTestStore, noon } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase, packageRoot } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

const run = promisify(execFile);
const program = path.join(packageRoot, 'dist/cloud-sync/cli/footbridge-hq.js');

describeOnEngines('what the operator changes is in the numbers', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(3, 3)');
  });
  afterAll(() => hq.close());

  const place = async () => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    const where = ['--org', store.organization.slug, '--store', store.code, '--json'];
    const env = { ...process.env, DATABASE_URL: hq.service_url, FOOTBRIDGE_LOG_LEVEL: 'silent' };
    return {
      store,
      command: async (...args: string[]) => {
        const { stdout } = await run(process.execPath, [program, ...args, ...where], { env });
        await rollEverything(hq.db);
        return JSON.parse(stdout) as Record<string, unknown>;
      },
      day: async () => {
        const [row] = await hq.asOwner(
          `select total_footfall, mall_traffic, avg_dwell_time::float8, bounce_rate::float8
           from daily_analytics where store_id = $1`,
          [store.store_id],
        );
        return row;
      },
    };
  };

  it('when a zone becomes the store, sees visits, and is no more', async () => {
    const { store, command, day } = await place();
    await insertCounts(hq, store, [{ sensor_id: 'front-door', at: noon, in: 2 }]);
    await hq.asOwner(
      `with sensor as (
         insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
         values ($1, $2, 'ceiling', 'zone')
       )
       insert into regional_counting_raw (organization_id, store_id, "timestamp", sensor_id,
         region_id, dwell_time, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, to_timestamp($3::float8 / 1000) + n * interval '1 minute', 'ceiling', 'all',
         dwell, 60, gen_random_uuid(), n, now()
       from unnest(array[60, 540]::real[]) with ordinality as v (dwell, n)`,
      [store.organization.id, store.store_id, noon],
    );
    await rollEverything(hq.db);
    const counted = { total_footfall: 2, mall_traffic: null };
    expect(await day()).toEqual({ ...counted, avg_dwell_time: null, bounce_rate: null });

    const zone = ['--sensor', 'ceiling', '--zone', 'all'];
    const named = [...zone, '--name', 'Store', '--type'];
    expect(await command('zone', 'set', ...named, 'store')).toMatchObject({ days_to_compute: 1 });
    expect(await day()).toEqual({ ...counted, avg_dwell_time: 300, bounce_rate: null });
    await command('zone', 'set', ...named, 'store_visits');
    expect(await day()).toEqual({ ...counted, avg_dwell_time: 300, bounce_rate: 50 });
    expect(await command('zone', 'remove', ...zone)).toMatchObject({ days_to_compute: 1 });
    expect(await day()).toEqual({ ...counted, avg_dwell_time: null, bounce_rate: null });
  });

  it('when a door turns out to look at the street', async () => {
    const { store, command, day } = await place();
    for (const sensor_id of ['front-door', 'window']) {
      await addLine(hq, store, sensor_id);
      await insertCounts(hq, store, [{ sensor_id, at: noon, in: 10 }]);
    }
    await rollEverything(hq.db);
    expect(await day()).toMatchObject({ total_footfall: 20, mall_traffic: null });
    await command('sensor', 'set', '--sensor', 'window', '--role', 'outside');
    expect(await day()).toMatchObject({ total_footfall: 10, mall_traffic: 10 });
  });
});
