/**
 * Fifteen things that the schemas Footbridge replaces do wrong, each shown on their own SQL, and
 * what happens here instead.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Query } from '../../cloud-sync/db/pool.ts';
import { runOnce } from '../../cloud-sync/db/pool.ts';
import type { UserRole } from '../../cloud-sync/tenants/users.ts';
import { addUser, roles } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase, packageRoot } from '../support/postgres.ts';

const a = 'aaaaaaaa-0000-4000-8000-000000000000';
const b = 'bbbbbbbb-0000-4000-8000-000000000000';
const viewer = 'aaaaaaaa-0000-4000-8000-000000000001';

describeOnEngines('the schema before', (engine) => {
  let seed: TestDatabase;
  let hq: TestDatabase;
  let mine: TestStore;
  let foreign: TestStore;
  const people: Partial<Record<UserRole, string>> = {};

  beforeAll(async () => {
    // First, because it brings the role `authenticated` to the server.
    hq = await openTestDatabase(engine);
    seed = await openTestDatabase(engine, { migrated: false });
    const file = path.join(packageRoot, 'tests/cases/seed-schema/retail.sql');
    await seed.asOwner(readFileSync(file, 'utf8'));
    await seed.asOwner(`
      grant usage on schema auth, public to authenticated;
      grant all on all tables in schema public to authenticated;
      insert into organizations (id, name, slug) values ('${a}', 'A', 'a'), ('${b}', 'B', 'b');
      insert into stores (id, organization_id, name) values ('${a}', '${a}', 'A'), ('${b}', '${b}', 'B');
      insert into auth.users values ('${viewer}');
      insert into user_profiles (id, organization_id, email) values ('${viewer}', '${a}', 'v@a');
      insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
        values ('${a}', '${a}', 'door-1', 'line'), ('${b}', '${b}', 'door-1', 'line');
      refresh materialized view latest_sensor_data`);
    mine = await addTestStore(hq);
    foreign = await addTestStore(hq);
    await hq.asOwner('select app.ensure_partitions(0, 0)');
    for (const role of roles) {
      const email = `${role}@example.org`;
      const stores = [mine.code];
      people[role] = (await addUser(hq.db, mine.organization, { email, role, stores })).user_id;
    }
  });
  afterAll(async () => {
    await seed.close();
    await hq.close();
  });

  /** As the viewer of A in the seed's schema, taken back afterwards. */
  const before = <T>(work: (query: Query) => Promise<T>): Promise<T> =>
    runOnce(seed.owner_url, async (query) => {
      await query(`begin; set local role authenticated;
        select set_config('request.jwt.claims', '{"sub":"${viewer}"}', true)`);
      return work(query);
    });
  const asOwnerBefore = <T>(work: (query: Query) => Promise<T>): Promise<T> =>
    runOnce(seed.owner_url, async (query) => {
      await query('begin');
      return work(query);
    });
  const now = <T extends object>(role: UserRole, text: string, values: unknown[] = []) =>
    hq.db.inTenant(
      { claims: { sub: people[role] ?? '', organization_id: mine.organization.id } },
      'authenticated',
      ({ query }) => query<T>(text, values),
    );
  const count = (organization: TestStore, sensor: string, people_in: number) =>
    hq.asOwner(
      `insert into people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
         sensor_id, in_count, interval_s, gateway_sequence, received_at)
       values ($1, $2, $2, date_trunc('month', now()), $3, $4, 60, 1, now())
       on conflict do nothing`,
      [organization.organization.id, organization.store_id, sensor, people_in],
    );

  it('1: has a stores policy that does not compile; here six roles see their stores', async () => {
    const policy = `create policy p on stores for all using (id = any (
      select assigned_stores from user_profiles where id = auth.uid()))`;
    await expect(asOwnerBefore((query) => query(policy))).rejects.toThrow(/uuid = uuid\[\]/);
    for (const role of roles) expect(await now(role, 'select id from stores')).toHaveLength(1);
  });

  it('2: lets a viewer become admin of another tenant', async () => {
    const promote = `update user_profiles set role = 'tenant_admin', organization_id = '${b}'`;
    const [promoted] = await before(async (query) => {
      await query(promote);
      return query('select name from organizations');
    });
    expect(promoted).toEqual({ name: 'B' });
    await expect(now('viewer', promote)).rejects.toThrow(/permission denied|cannot update/);
  });

  it('3: lets a viewer delete the tenant', async () => {
    const deleted = await before((query) => query('delete from organizations returning id'));
    expect(deleted).toEqual([{ id: a }]);
    await expect(now('viewer', 'delete from organizations')).rejects.toThrow(/permission denied/);
  });

  it('4: shows nobody anything of six tables, without an error', async () => {
    expect(await before((query) => query('select from sensor_metadata'))).toEqual([]);
    await hq.asOwner(
      `insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
       values ($1, $2, 'door-1', 'line'), ($3, $4, 'door-1', 'line')`,
      [mine.organization.id, mine.store_id, foreign.organization.id, foreign.store_id],
    );
    for (const role of roles)
      expect(await now(role, 'select from sensor_metadata')).toHaveLength(1);
  });

  it('5: doubles a count that is sent again, and knows no tenant of it', async () => {
    const twice = await asOwnerBefore(async (query) => {
      const row = `insert into people_counting_raw (sensor_id, timestamp, in_count)
        values ('door-1', '2026-01-01', 7)`;
      await query(row);
      await query(row);
      return query<{ n: number }>('select sum(in_count) as n from people_counting_raw');
    });
    expect(Number(twice[0]?.n)).toBe(14);
    for (let i = 0; i < 2; i++) await count(mine, 'door-1', 7);
    await count(foreign, 'door-1', 5);
    const sum = 'select sum(in_count)::int as n from people_counting_raw';
    expect(await now('store_manager', sum)).toEqual([{ n: 7 }]);
  });

  it('6: cannot be partitioned', async () => {
    const part = `create table p partition of people_counting_raw
      for values from ('2026-01-01') to ('2026-02-01')`;
    await expect(asOwnerBefore((query) => query(part))).rejects.toThrow(/not partitioned/);
    const parts = await hq.asOwner(
      "select from pg_class where relnamespace = 'parts'::regnamespace and relkind = 'r'",
    );
    expect(parts).toHaveLength(2);
  });

  it('7: shows one tenant the other’s newest reading, and loses its own', async () => {
    const rows = await before((query) => query('select sensor_id from latest_sensor_data'));
    // Two tenants have a door-1; one of them is left, for both to read.
    expect(rows).toEqual([{ sensor_id: 'door-1' }]);
    const own = await now<{ store_id: string }>(
      'viewer',
      'select store_id from latest_sensor_data',
    );
    expect(own).toEqual([{ store_id: mine.store_id }]);
  });

  it('8: aborts a rollup over ten times the traffic of last year', async () => {
    const row = `insert into daily_analytics (store_id, date, vs_last_year_percent)
      values ('${a}', '2026-01-01', 1000)`;
    await expect(asOwnerBefore((query) => query(row))).rejects.toThrow(/overflow/);
    await hq.asOwner(
      `insert into daily_analytics (organization_id, store_id, date, total_footfall, total_in,
         total_out, out_of_hours_in, hours_in_day, trading_s, coverage, status)
       select $1, $2, date, people, people, 0, 0, 24, 86400, 1, 'complete'
       from (values ('2025-01-02'::date, 10), ('2026-01-01', 20000)) d (date, people)`,
      [mine.organization.id, mine.store_id],
    );
    const [grown] = await hq.asOwner(
      "select d.vs_last_year_percent from daily_analytics d where date = '2026-01-01'",
      [],
    );
    expect(grown).toEqual({ vs_last_year_percent: '199900.00' });
  });

  it('9: calls a shop without a till one that sells nothing', async () => {
    const ratio =
      'select conversion_rate, total_revenue, vs_last_week_percent from daily_analytics';
    const [claimed] = await asOwnerBefore(async (query) => {
      await query(`insert into daily_analytics (store_id, date) values ('${a}', '2026-01-02')`);
      return query(ratio);
    });
    expect(claimed).toMatchObject({ conversion_rate: '0.00', total_revenue: '0.00' });
    const days = 'select conversion_rate, total_revenue, d.vs_last_week_percent';
    const [known] = await now('viewer', `${days} from daily_analytics d where date = '2026-01-01'`);
    expect(known).toEqual({
      conversion_rate: null,
      total_revenue: null,
      vs_last_week_percent: null,
    });
  });

  it('10: calls a sensor online that was never heard, in any zone one can misspell', async () => {
    const [row] = await asOwnerBefore(async (query) => {
      await query("update stores set timezone = 'Europe/Atlantis'");
      return query('select is_online, health_status, timezone_offset from sensor_metadata');
    });
    expect(row).toEqual({ is_online: true, health_status: 'healthy', timezone_offset: 0 });
    const [here] = await now(
      'viewer',
      'select s.is_online, s.health_status, s.timezone_offset from sensor_metadata s',
    );
    expect(here).toMatchObject({ is_online: false, health_status: 'unknown' });
    expect([60, 120]).toContain(here && (here as { timezone_offset: number }).timezone_offset);
    await expect(hq.asOwner("update stores set timezone = 'Europe/Atlantis'")).rejects.toThrow(
      /valid_timezone/,
    );
  });

  const members = `create table business_members (business_id uuid, user_id uuid);
    grant select on business_members to authenticated;
    alter table business_members enable row level security;
    create policy "Members can view" on business_members for select using (business_id in (
      select business_id from business_members where user_id = auth.uid()));`;

  it('11: asks the membership table who may read the membership table', async () => {
    const read = asOwnerBefore((query) =>
      query(`${members} set local role authenticated; select from business_members`),
    );
    await expect(read).rejects.toThrow(/infinite recursion/);
    expect(await now('viewer', 'select role from user_profiles')).toEqual([{ role: 'viewer' }]);
  });

  it('12: has a summary of any tenant for anybody', async () => {
    const summary = `create table kpi_sources (business_id uuid, name text);
      alter table kpi_sources enable row level security;
      insert into kpi_sources values ('${b}', 'revenue of B');
      create function get_business_kpi_summary(p_business_id uuid) returns setof text
        language sql security definer
        as $$ select name from kpi_sources where business_id = p_business_id $$;
      set local role authenticated`;
    const told = await asOwnerBefore(async (query) => {
      await query(summary);
      return query(`select get_business_kpi_summary('${b}') as name`);
    });
    expect(told).toEqual([{ name: 'revenue of B' }]);
    // Functions that step over the wall take no tenant from a person, where a person can name them.
    const open = await hq.asOwner(
      `select p.proname from pg_proc p where p.prosecdef and p.pronargs > 0
         and p.pronamespace::regnamespace::text in ('app', 'public')
         and has_schema_privilege('authenticated', p.pronamespace, 'usage')
         and has_function_privilege('authenticated', p.oid, 'execute')`,
    );
    expect(open).toEqual([]);
  });

  it('13: lets a customer raise their own tier', async () => {
    const raise =
      "update organizations set subscription_tier = 'enterprise' returning subscription_tier";
    expect(await before((query) => query(raise))).toEqual([{ subscription_tier: 'enterprise' }]);
    await expect(now('tenant_admin', raise)).rejects.toThrow(/permission denied/);
  });

  it('13: takes a rule of one customer about the source of another', async () => {
    const rule = asOwnerBefore((query) =>
      query(`create table businesses (id uuid primary key);
        create table kpi_sources (id uuid primary key, business_id uuid not null references businesses (id));
        create table rules (business_id uuid not null references businesses (id),
          source_id uuid not null references kpi_sources (id));
        insert into businesses values ('${a}'), ('${b}');
        insert into kpi_sources values ('${b}', '${b}');
        insert into rules values ('${a}', '${b}')`),
    );
    await rule;
    // A mute is what a person may say about alerts. Past every policy the key still says no.
    const mute =
      'insert into alert_mutes (organization_id, store_id, until) values ($1, $2, now())';
    const { organization } = mine;
    await expect(hq.asOwner(mute, [organization.id, foreign.store_id])).rejects.toThrow(
      /violates foreign key/,
    );
    await expect(now('viewer', mute, [organization.id, mine.store_id])).rejects.toThrow(
      /row-level security/,
    );
  });

  it('14: has statements that never ran', async () => {
    for (const text of [
      'create index i on stores using gin(location), created_at desc',
      'create index concurrently i on stores (created_at)',
      'pg_dump signalcraft_db > backup.sql',
    ]) {
      await expect(asOwnerBefore((query) => query(text))).rejects.toThrow();
    }
    // Ours ran to make this database; hq-migrations.test.ts runs them up, down and up again.
    expect(await hq.asOwner('select from ops.migrations')).not.toEqual([]);
  });

  it('15: keeps a value twice that was sent twice', async () => {
    const twice = await asOwnerBefore(async (query) => {
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
    const open = await hq.asOwner(
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
    const erase = asOwnerBefore((query) =>
      query(`insert into alerts (organization_id, alert_type, severity, title, resolved_by)
          values ('${a}', 'x', 'info', 'x', '${viewer}');
        delete from user_profiles`),
    );
    await expect(erase).rejects.toThrow(/violates foreign key/);
    const email = 'gone@example.org';
    const { user_id } = await addUser(hq.db, mine.organization, {
      email,
      role: 'viewer',
      stores: [],
    });
    await hq.asOwner(
      `insert into alerts (organization_id, alert_type, severity, title, dedup_key, resolved_by)
       values ($1, 'x', 'info', 'x', 'x', $2)`,
      [mine.organization.id, user_id],
    );
    await hq.asOwner('delete from app.users where id = $1', [user_id]);
    expect(await hq.asOwner('select resolved_by from alerts')).toEqual([{ resolved_by: null }]);
  });
});
