/**
 * Of the fifteen things that the schemas Footbridge replaces do wrong, those that show or give one
 * tenant or person what is another's: each shown on their own SQL, and what happens here instead.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { roles } from '../../cloud-sync/tenants/users.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { a, type BeforeAndNow, b, openBeforeAndNow } from '../support/seed-schema.ts';

describeOnEngines('the schema before', (engine) => {
  let both: BeforeAndNow;
  beforeAll(async () => {
    both = await openBeforeAndNow(engine);
  });
  afterAll(() => both.close());

  it('1: has a stores policy that does not compile; here six roles see their stores', async () => {
    const policy = `create policy p on stores for all using (id = any (
      select assigned_stores from user_profiles where id = auth.uid()))`;
    await expect(both.asOwnerBefore((query) => query(policy))).rejects.toThrow(/uuid = uuid\[\]/);
    for (const role of roles) expect(await both.now(role, 'select id from stores')).toHaveLength(1);
  });

  it('2: lets a viewer become admin of another tenant', async () => {
    const promote = `update user_profiles set role = 'tenant_admin', organization_id = '${b}'`;
    const [promoted] = await both.before(async (query) => {
      await query(promote);
      return query('select name from organizations');
    });
    expect(promoted).toEqual({ name: 'B' });
    await expect(both.now('viewer', promote)).rejects.toThrow(/permission denied|cannot update/);
  });

  it('3: lets a viewer delete the tenant', async () => {
    const deleted = await both.before((query) => query('delete from organizations returning id'));
    expect(deleted).toEqual([{ id: a }]);
    await expect(both.now('viewer', 'delete from organizations')).rejects.toThrow(
      /permission denied/,
    );
  });

  it('4: shows nobody anything of six tables, without an error', async () => {
    expect(await both.before((query) => query('select from sensor_metadata'))).toEqual([]);
    await both.hq.asOwner(
      `insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
       values ($1, $2, 'door-1', 'line'), ($3, $4, 'door-1', 'line')`,
      [
        both.mine.organization.id,
        both.mine.store_id,
        both.foreign.organization.id,
        both.foreign.store_id,
      ],
    );
    for (const role of roles)
      expect(await both.now(role, 'select from sensor_metadata')).toHaveLength(1);
  });

  it('7: shows one tenant the other’s newest reading, and loses its own', async () => {
    const rows = await both.before((query) => query('select sensor_id from latest_sensor_data'));
    // Two tenants have a door-1; one of them is left, for both to read.
    expect(rows).toEqual([{ sensor_id: 'door-1' }]);
    const own = await both.now<{ store_id: string }>(
      'viewer',
      'select store_id from latest_sensor_data',
    );
    expect(own).toEqual([{ store_id: both.mine.store_id }]);
  });

  it('10: calls a sensor online that was never heard, in any zone one can misspell', async () => {
    const [row] = await both.asOwnerBefore(async (query) => {
      await query("update stores set timezone = 'Europe/Atlantis'");
      return query('select is_online, health_status, timezone_offset from sensor_metadata');
    });
    expect(row).toEqual({ is_online: true, health_status: 'healthy', timezone_offset: 0 });
    const [here] = await both.now(
      'viewer',
      'select s.is_online, s.health_status, s.timezone_offset from sensor_metadata s',
    );
    expect(here).toMatchObject({ is_online: false, health_status: 'unknown' });
    expect([60, 120]).toContain(here && (here as { timezone_offset: number }).timezone_offset);
    await expect(both.hq.asOwner("update stores set timezone = 'Europe/Atlantis'")).rejects.toThrow(
      /valid_timezone/,
    );
  });

  const members = `create table business_members (business_id uuid, user_id uuid);
    grant select on business_members to authenticated;
    alter table business_members enable row level security;
    create policy "Members can view" on business_members for select using (business_id in (
      select business_id from business_members where user_id = auth.uid()));`;

  it('11: asks the membership table who may read the membership table', async () => {
    const read = both.asOwnerBefore((query) =>
      query(`${members} set local role authenticated; select from business_members`),
    );
    await expect(read).rejects.toThrow(/infinite recursion/);
    expect(await both.now('viewer', 'select role from user_profiles')).toEqual([
      { role: 'viewer' },
    ]);
  });

  it('12: has a summary of any tenant for anybody', async () => {
    const summary = `create table kpi_sources (business_id uuid, name text);
      alter table kpi_sources enable row level security;
      insert into kpi_sources values ('${b}', 'revenue of B');
      create function get_business_kpi_summary(p_business_id uuid) returns setof text
        language sql security definer
        as $$ select name from kpi_sources where business_id = p_business_id $$;
      set local role authenticated`;
    const told = await both.asOwnerBefore(async (query) => {
      await query(summary);
      return query(`select get_business_kpi_summary('${b}') as name`);
    });
    expect(told).toEqual([{ name: 'revenue of B' }]);
    // Functions that step over the wall take no tenant from a person, where a person can name them.
    const open = await both.hq.asOwner(
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
    expect(await both.before((query) => query(raise))).toEqual([
      { subscription_tier: 'enterprise' },
    ]);
    await expect(both.now('tenant_admin', raise)).rejects.toThrow(/permission denied/);
  });

  it('13: takes a rule of one customer about the source of another', async () => {
    const rule = both.asOwnerBefore((query) =>
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
    const { organization } = both.mine;
    await expect(both.hq.asOwner(mute, [organization.id, both.foreign.store_id])).rejects.toThrow(
      /violates foreign key/,
    );
    await expect(both.now('viewer', mute, [organization.id, both.mine.store_id])).rejects.toThrow(
      /row-level security/,
    );
  });
});
