import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOnEngines, openTestDatabase, type TestDatabase } from '../support/postgres.ts';

describeOnEngines('the schema', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  it('has one policy for each table, command and role, never for ALL or everybody', async () => {
    const odd = await hq.asOwner(
      `select polrelid::regclass::text as name, polcmd, polroles, count(*)
       from pg_policy group by 1, 2, 3
       having count(*) > 1 or polcmd = '*' or 0 = any (polroles) or cardinality(polroles) <> 1`,
    );
    expect(odd).toEqual([]);
  });

  it('starts every key, unique index and foreign key with the organization', async () => {
    const odd = await hq.asOwner<{ name: string }>(
      `select c.conrelid::regclass::text || ' ' || c.conname as name
       from pg_constraint c join pg_namespace n on n.oid = c.connamespace
       join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
       where n.nspname in ('public', 'app', 'parts') and c.contype in ('p', 'u', 'f')
         and a.attname <> 'organization_id' order by 1`,
    );
    expect(odd.map(({ name }) => name)).toEqual([
      'app.job_runs job_runs_pkey',
      'app.memberships memberships_user_id_fkey',
      'app.users users_pkey',
      'organizations organizations_pkey',
      'organizations organizations_slug_key',
    ]);
  });

  it('has an index for every foreign key', async () => {
    const bare = await hq.asOwner(
      `select c.conrelid::regclass::text, c.conname from pg_constraint c
       where c.contype = 'f' and not exists (select from pg_index i
         where i.indrelid = c.conrelid
           and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)
       order by 1`,
    );
    expect(bare).toEqual([]);
  });
});
