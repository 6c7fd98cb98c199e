/**
 * Of the fifteen things that the schemas Footbridge replaces do wrong, those that count or keep
 * wrongly: each shown on their own SQL, and what happens here instead.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { a, type BeforeAndNow, openBeforeAndNow, viewer } from '../support/seed-schema.ts';

describeOnEngines('the schema before', (engine) => {
  let both: BeforeAndNow;
  beforeAll(async () => {
    both = await openBeforeAndNow(engine);
  });
  afterAll(() => both.close());

  const count = (organization: TestStore, sensor: string, people_in: number) =>
    both.hq.asOwner(
      `insert into people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
         sensor_id, in_count, interval_s, gateway_sequence, received_at)
       values ($1, $2, $2, date_trunc('month', now()), $3, $4, 60, 1, now())
       on conflict do nothing`,
      [organization.organization.id, organization.store_id, sensor, people_in],
    );

  it('5: doubles a count that is sent again, and knows no tenant of it', async () => {
    const twice = await both.asOwnerBefore(async (query) => {
      const row = `insert into people_counting_raw (sensor_id, timestamp, in_count)
        values ('door-1', '2026-01-01', 7)`;
      await query(row);
      await query(row);
      return query<{ n: number }>('select sum(in_count) as n from people_counting_raw');
    });
    expect(Number(twice[0]?.n)).toBe(14);
    for (let i = 0; i < 2; i++) await count(both.mine, 'door-1', 7);
    await count(both.foreign, 'door-1', 5);
    const sum = 'select sum(in_count)::int as n from people_counting_raw';
    expect(await both.now('store_manager', sum)).toEqual([{ n: 7 }]);
  });

  it('6: cannot be partitioned', async () => {
    const part = `create table p partition of people_counting_raw
      for values from ('2026-01-01') to ('2026-02-01')`;
    await expect(both.asOwnerBefore((query) => query(part))).rejects.toThrow(/not partitioned/);
    const parts = await both.hq.asOwner(
      "select from pg_class where relnamespace = 'parts'::regnamespace and relkind = 'r'",
    );
    expect(parts).toHaveLength(2);
  });

  it('8: aborts a rollup over ten times the traffic of last year', async () => {
    const row = `insert into daily_analytics (store_id, date, vs_last_year_percent)
      values ('${a}', '2026-01-01', 1000)`;
    await expect(both.asOwnerBefore((query) => query(row))).rejects.toThrow(/overflow/);
    await both.hq.asOwner(
      `insert into daily_analytics (organization_id, store_id, date, total_footfall, total_in,
         total_out, out_of_hours_in, hours_in_day, trading_s, coverage, status)
       select $1, $2, date, people, people, 0, 0, 24, 86400, 1, 'complete'
       from (values ('2025-01-02'::date, 10), ('2026-01-01', 20000)) d (date, people)`,
      [both.mine.organization.id, both.mine.store_id],
    );
    const [grown] = await both.hq.asOwner(
      "select d.vs_last_year_percent from daily_analytics d where date = '2026-01-01'",
      [],
    );
    expect(grown).toEqual({ vs_last_year_percent: '199900.00' });
  });

  it('9: calls a shop without a till one that sells nothing', async () => {
    const ratio =
      'select conversion_rate, total_revenue, vs_last_week_percent from daily_analytics';
    const [claimed] = await both.asOwnerBefore(async (query) => {
      await query(`insert into daily_analytics (store_id, date) values ('${a}', '2026-01-02')`);
      return query(ratio);
    });
    expect(claimed).toMatchObject({ conversion_rate: '0.00', total_revenue: '0.00' });
    const days = 'select conversion_rate, total_revenue, d.vs_last_week_percent';
    const [known] = await both.now(
      'viewer',
      `${days} from daily_analytics d where date = '2026-01-01'`,
    );
    expect(known).toEqual({
      conversion_rate: null,
      total_revenue: null,
      vs_last_week_percent: null,
    });
  });

  it('14: has statements that never ran', async () => {
    for (const text of [
      'create index i on stores using gin(location), created_at desc',
      'create index concurrently i on stores (created_at)',
      'pg_dump signalcraft_db > backup.sql',
    ]) {
      await expect(both.asOwnerBefore((query) => query(text))).rejects.toThrow();
    }
    // Ours ran to make this database; hq-migrations.test.ts runs them up, down and up again.
    expect(await both.hq.asOwner('select from ops.migrations')).not.toEqual([]);
  });

  it('15: keeps a value twice that was sent twice', async () => {
    const twice = await both.asOwnerBefore(async (query) => {
      await query(`create table kpi_data (id uuid primary key default gen_random_uuid(),
        source_id uuid not null, "timestamp" timestamptz not null, value decimal not null)`);
      for (const _ of [1, 2]) {
        await query(`insert into kpi_data (source_id, "timestamp", value)
          values ('${a}', '2026-01-01', 1) on conflict do nothing`);
      }
      return query('select from kpi_data');
    });
    expect(twice).toHaveLength(2);
    // Here each table has a key, and no part of any key can be null and so equal to nothing.
    const open = await both.hq.asOwner(
      `select c.oid::regclass::text as name from pg_class c
       where c.relnamespace::regnamespace::text in ('public', 'app') and c.relkind in ('r', 'p')
         and (not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)
           or exists (select from pg_index i join pg_attribute k
             on k.attrelid = c.oid and k.attnum = any (i.indkey)
             where i.indrelid = c.oid and i.indisunique and not k.attnotnull
               and not i.indnullsnotdistinct
               and not exists (select from pg_index p where p.indrelid = c.oid and p.indisprimary
                 and i.indkey::int2[] @> p.indkey::int2[])))`,
    );
    expect(open).toEqual([]);
  });

  it('15: keeps a person from being forgotten', async () => {
    const erase = both.asOwnerBefore((query) =>
      query(`insert into alerts (organization_id, alert_type, severity, title, resolved_by)
          values ('${a}', 'x', 'info', 'x', '${viewer}');
        delete from user_profiles`),
    );
    await expect(erase).rejects.toThrow(/violates foreign key/);
    const email = 'gone@example.org';
    const { user_id } = await addUser(both.hq.db, both.mine.organization, {
      email,
      role: 'viewer',
      stores: [],
    });
    await both.hq.asOwner(
      `insert into alerts (organization_id, alert_type, severity, title, dedup_key, resolved_by)
       values ($1, 'x', 'info', 'x', 'x', $2)`,
      [both.mine.organization.id, user_id],
    );
    await both.hq.asOwner('delete from app.users where id = $1', [user_id]);
    expect(await both.hq.asOwner('select resolved_by from alerts')).toEqual([
      { resolved_by: null },
    ]);
  });
});
