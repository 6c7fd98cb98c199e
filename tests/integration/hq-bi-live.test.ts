import { afterAll, beforeAll, expect, it } from 'vitest';
import { withClient } from '../../cloud-sync/db/pool.ts';
import { addBiLogin } from '../../cloud-sync/tenants/bi-logins.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';

const hour = 3_600_000;

describeOnEngines('a BI login', (engine) => {
  let hq: TestDatabase;
  let mine: TestStore;
  let sibling: TestStore;
  let foreign: TestStore;
  let person: { user_id: string; organization_id: string };
  let stranger: { sub: string; organization_id: string };
  let made: { login: string; password: string };

  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(3, 3)');
    mine = await addTestStore(hq, { timezone: 'UTC' });
    sibling = await addTestStore(hq, { organization: mine.organization });
    foreign = await addTestStore(hq);
    for (const store of [mine, sibling, foreign]) {
      await addLine(hq, store, 'front-door');
      const at = Date.now() - 2 * hour;
      await insertCounts(hq, store, [{ sensor_id: 'front-door', at, in: 5, out: 2 }]);
    }
    const email = 'manager@acme.example';
    const { user_id } = await addUser(hq.db, mine.organization, {
      email,
      role: 'store_manager',
      stores: [mine.code],
    });
    const boss = await addUser(hq.db, foreign.organization, {
      email: 'boss@foreign.example',
      role: 'tenant_admin',
      stores: [],
    });
    stranger = { sub: boss.user_id, organization_id: foreign.organization.id };
    person = { user_id, organization_id: mine.organization.id };
    const wanted = { name: 'Metabase', as: email };
    made = await addBiLogin(hq.db, hq.owner_url, mine.organization, wanted);
  });
  afterAll(async () => {
    await hq.asOwner(`drop owned by ${made.login}; drop role ${made.login}`);
    await hq.close();
  });

  const asTool = async <T extends object>(text: string, first?: string): Promise<T[]> => {
    const url = new URL(hq.service_url);
    url.username = made.login;
    url.password = made.password;
    return withClient(url.href, async (client) => {
      if (first !== undefined) await client.query(first);
      const { rows } = await client.query<T>(text);
      return rows;
    });
  };
  const asPerson = <T extends object>(text: string) => {
    const claims = { sub: person.user_id, organization_id: person.organization_id };
    return hq.db.inTenant({ claims }, 'authenticated', ({ query }) => query<T>(text));
  };
  const live_views = [
    'store_hourly_live',
    'hourly_analytics_live',
    'report_hours_live',
    'report_sensor_hours_live',
  ];

  it.each(live_views)('sees in %s what the member sees that it stands for', async (view) => {
    const text = `select (to_jsonb(l) - 'revised_at')::text as row from ${view} l order by 1`;
    const rows = await asTool(text);
    expect(rows).toHaveLength(1);
    expect(rows).toEqual(await asPerson(text));
    expect(rows).toMatchObject([{ row: expect.stringContaining('"live": true') }]);
  });

  it.each(live_views)('sees nothing more in %s by what it says about itself', async (view) => {
    const lies = [
      ['request.jwt.claims', JSON.stringify(stranger)],
      ['app.organization_id', foreign.organization.id],
      ['app.scope_of', JSON.stringify(stranger)],
      ['app.scope_organization_id', foreign.organization.id],
      ['app.scope_store_ids', `{${foreign.store_id}}`],
      ['app.actor', 'authenticated'],
    ].map(([name, value]) => `select set_config('${name}', '${value}', false)`);
    const rows = await asTool(`select distinct store_id from ${view}`, lies.join('; '));
    expect(rows).toEqual([{ store_id: mine.store_id }]);
    await expect(asTool('select 1', 'set role authenticated')).rejects.toThrow(/permission denied/);
  });

  it('is told nothing by the functions behind the views, even with the way to them open', async () => {
    await hq.asOwner('grant usage on schema app to app_bi');
    try {
      for (const store of [sibling, foreign]) {
        for (const name of ['live_hours', 'live_store_hours']) {
          const call = `select * from app.${name}('${store.organization.id}', '${store.store_id}')`;
          expect([name, await asTool(call)]).toEqual([name, []]);
        }
      }
    } finally {
      await hq.asOwner('revoke usage on schema app from app_bi');
    }
  });

  it('reads staff, estimates, how long visits last and how many bounce', async () => {
    await addLine(hq, mine, 'front-door/staff', { role: 'staff' });
    const at = Date.now() - 26 * hour;
    await insertCounts(hq, mine, [
      { sensor_id: 'front-door', at, in: 9 },
      { sensor_id: 'front-door/staff', at, in: 2 },
    ]);
    await hq.asOwner(
      `with sensor as (
         insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
         values ($1, $2, 'ceiling', 'zone') returning sensor_id
       ), zone as (
         insert into region_configurations (organization_id, store_id, sensor_id, region_id, name, type)
         select $1, $2, sensor_id, 'all', 'Store', 'store_visits' from sensor
       )
       insert into regional_counting_raw (organization_id, store_id, "timestamp", sensor_id,
         region_id, occupancy, dwell_time, interval_s, gateway_id, gateway_sequence, received_at)
       select $1, $2, to_timestamp($3::float8 / 1000) + k * interval '1 second', sensor_id, 'all', 1,
         case k when 0 then 60 else 340 end, 1, gen_random_uuid(), k, now()
       from sensor, generate_series(0, 1) k`,
      [mine.organization.id, mine.store_id, at],
    );
    await rollEverything(hq.db);
    const date = new Date(at).toISOString().slice(0, 10);
    expect(
      await asTool(
        `select footfall, staff_in, estimated_in from report_hours
         where local_date = '${date}' and total_in > 0`,
      ),
    ).toEqual([{ footfall: 7, staff_in: 2, estimated_in: null }]);
    expect(
      await asTool(
        `select total_footfall, staff_in, estimated_in, avg_dwell_time, bounce_rate
         from report_days where date = '${date}'`,
      ),
    ).toEqual([
      {
        total_footfall: 7,
        staff_in: 2,
        estimated_in: null,
        avg_dwell_time: '200.00',
        bounce_rate: '50.00',
      },
    ]);
  });

  it('reads what was estimated in hours, days and periods', async () => {
    await hq.asOwner(
      `with hour as (
         update store_hourly set estimated_in = 4, status = 'estimated' where store_id = $1
       )
       update daily_analytics set estimated_in = 4, status = 'estimated' where store_id = $1`,
      [mine.store_id],
    );
    for (const view of ['report_hours', 'report_days', 'report_hours_live']) {
      const rows = await asTool(`select distinct estimated_in from ${view}`);
      expect([view, rows]).toEqual([view, [{ estimated_in: 4 }]]);
    }
    for (const view of ['store_weeks', 'store_months', 'store_quarters', 'store_years']) {
      const [row] = await asTool<{ estimated: number; days: number }>(
        `select sum(estimated_in) as estimated, sum(days) as days from ${view}`,
      );
      expect([view, Number(row?.estimated)]).toEqual([view, 4 * Number(row?.days)]);
    }
  });
});
