import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runOnce } from '../../cloud-sync/db/pool.ts';
import { addOrganization } from '../../cloud-sync/tenants/organizations.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, migrateAlone, openTestDatabase } from '../support/postgres.ts';

const project_roles = `
  do $$
  declare wanted text;
  begin
    foreach wanted in array array['anon', 'authenticated', 'service_role'] loop
      if to_regrole(wanted) is null then execute format('create role %I nologin', wanted); end if;
    end loop;
  end $$`;
/** The schema and the generous defaults that Supabase puts into a new project. */
const project = `
  create schema auth;
  grant usage on schema auth, public to anon, authenticated, service_role;
  create table auth.users (id uuid primary key);
  create function auth.uid() returns uuid language sql stable
    as $$ select (current_setting('request.jwt.claims', true)::jsonb ->> 'sub')::uuid $$;
  alter default privileges in schema public
    grant all on tables to anon, authenticated, service_role`;

describeOnEngines('on what Supabase brings along', (engine) => {
  let hq: TestDatabase;
  const auth = () =>
    hq.asOwner(
      `select c.oid::regclass::text as name, relacl::text from pg_class c
       where relnamespace = 'auth'::regnamespace
       union all select p.oid::regprocedure::text, pg_get_functiondef(p.oid) from pg_proc p
       where pronamespace = 'auth'::regnamespace order by 1`,
    );
  beforeAll(async () => {
    hq = await openTestDatabase(engine, { migrated: false });
    // Roles belong to the whole server: one test file at a time creates them.
    await runOnce(hq.owner_url.replace(/[^/]+$/, 'postgres'), async (query) => {
      await query('select pg_advisory_lock(1)');
      await query(project_roles);
    });
    await hq.asOwner(project);
  });
  afterAll(() => hq.close());

  it('the migrations run and create nothing in schema auth', async () => {
    const before = await auth();
    await migrateAlone(hq, 'up');
    expect(await auth()).toEqual(before);
  });

  it('its default rights open no table to anon, service_role or a person who may not', async () => {
    const open = await hq.asOwner(
      `select c.oid::regclass::text as name, r.rolname, right_to
       from pg_class c, pg_roles r,
         unnest(array['select', 'insert', 'update', 'delete', 'truncate']) as right_to
       where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
         and r.rolname in ('anon', 'service_role', 'authenticated') and c.relkind in ('r', 'p', 'v')
         and has_table_privilege(r.oid, c.oid, right_to)
         and not (r.rolname = 'authenticated' and (right_to = 'select' or exists (
           select from pg_policies p where format('%I.%I', p.schemaname, p.tablename)::regclass = c.oid
             and lower(p.cmd) = right_to and 'authenticated' = any (p.roles))))`,
    );
    expect(open).toEqual([]);
  });

  it('a person is the one that auth.uid() names', async () => {
    const organization = await addOrganization(hq.db, { slug: randomUUID(), name: 'Acme' });
    const wanted = { email: 'mar@example.org', role: 'analyst', stores: [] };
    const { user_id } = await addUser(hq.db, organization, wanted);
    const rows = await hq.db.inTenant({ claims: { sub: user_id } }, 'authenticated', ({ query }) =>
      query('select id = auth.uid() as same, role from user_profiles'),
    );
    expect(rows).toEqual([{ same: true, role: 'analyst' }]);
  });
});
