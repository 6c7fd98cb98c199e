import { cp, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  assertSchemaFits,
  makeMigration,
  migrate,
  schemaState,
} from '../../cloud-sync/db/migrations.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { TestDatabase } from '../support/postgres.ts';
import {
  describeOnEngines,
  migrateAlone,
  migrations_dir,
  openTestDatabase,
  packageRoot,
} from '../support/postgres.ts';

describeOnEngines('migrations', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine, { migrated: false });
  });
  afterAll(() => hq.close());

  /** Everything in our schemas that a person could notice, in words that have no oids. */
  const catalogue = () =>
    hq.asOwner(
      `select 'table ' || c.oid::regclass || ' ' || c.relkind::text || c.relrowsecurity
           || c.relforcerowsecurity || pg_get_userbyid(c.relowner) || coalesce(c.relacl::text, '')
           || coalesce(c.reloptions::text, '') as thing
         from pg_class c where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
       union all
       select 'column ' || a.attrelid::regclass || '.' || a.attname || ' '
           || format_type(a.atttypid, a.atttypmod) || a.attnotnull || coalesce(a.attacl::text, '')
           || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
         from pg_attribute a join pg_class c on c.oid = a.attrelid
         left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
         where c.relnamespace::regnamespace::text in ('public', 'app', 'parts') and a.attnum > 0
           and not a.attisdropped
       union all
       select 'constraint ' || conrelid::regclass || ' ' || conname || pg_get_constraintdef(oid)
         from pg_constraint where connamespace::regnamespace::text in ('public', 'app', 'parts')
           -- Columns say NOT NULL already; from 18 on it is a constraint as well.
           and contype <> 'n'
       union all
       select 'index ' || indexdef from pg_indexes where schemaname in ('public', 'app', 'parts')
       union all
       select 'policy ' || p::text from pg_policies p
       union all
       select 'function ' || p.oid::regprocedure || pg_get_functiondef(p.oid)
           || pg_get_userbyid(p.proowner) || coalesce(p.proacl::text, '')
         from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'app', 'parts')
       union all
       select 'trigger ' || t.tgrelid::regclass || ' ' || pg_get_triggerdef(t.oid)
         from pg_trigger t where not t.tgisinternal
       union all
       select 'schema ' || nspname || coalesce(nspacl::text, '') from pg_namespace
         where nspname in ('public', 'app', 'parts')
       union all
       select 'defaults ' || defaclacl::text from pg_default_acl
       order by 1`,
    );

  it('go up, down and up again, and leave the same catalogue', async () => {
    const bare = await catalogue();
    const names = await migrateAlone(hq, 'up');
    const first = await catalogue();
    expect(first.length).toBeGreaterThan(200);
    expect(await migrateAlone(hq, 'down', names.length)).toEqual(names.toReversed());
    const down = await catalogue();
    // The owner role appears in the rights of schema public once anything was ever granted.
    expect(down.filter(({ thing }) => !String(thing).startsWith('schema public'))).toEqual(
      bare.filter(({ thing }) => !String(thing).startsWith('schema public')),
    );
    await migrateAlone(hq, 'up');
    expect(await catalogue()).toEqual(first);
  });

  it('make the schema that docs/schema.txt shows', async () => {
    const things = (await catalogue()).map(({ thing }) => String(thing));
    // Schemas name the superuser of the machine; owners have MAINTAIN (m) from 17 on; the order of
    // grants is that of the roles' creation.
    const sorted = (acl: string) => acl.slice(1, -1).split(',').sort().join(' ');
    const lines = things
      .filter((thing) => !/^(schema|defaults) /.test(thing))
      .map((thing) => thing.replace('arwdDxtm/', 'arwdDxt/').replace(/\{[^{}]*=[^{}]*\}/g, sorted))
      .sort();
    await expect(`${lines.join('\n')}\n`).toMatchFileSnapshot(
      path.join(packageRoot, 'docs/schema.txt'),
    );
  });

  it('go down one at a time, whatever data there is', async () => {
    await hq.asOwner('select app.ensure_partitions(1, 1)');
    const { applied } = await schemaState(hq.db, migrations_dir);
    for (const name of applied.toReversed()) {
      expect(await migrateAlone(hq, 'down', 1)).toEqual([name]);
    }
    expect(await migrateAlone(hq, 'up')).toEqual(applied);
  });

  it('leave the schema as it was when one of them fails halfway, and say which, and where', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'));
    await cp(migrations_dir, directory, { recursive: true });
    await writeFile(path.join(directory, '9001_good.sql'), 'create table public.half (i int);');
    await writeFile(
      path.join(directory, '9002_bad.sql'),
      'create table public.other_half (i int);\nselect nonsense;',
    );
    const before = await catalogue();
    const failing = migrate({ url: hq.owner_url, directory, direction: 'up', log: silentLog });
    await expect(failing).rejects.toMatchObject({
      code: 'migration_failed',
      detail: '9002_bad: column "nonsense" does not exist, at character 48',
    });
    expect(await catalogue()).toEqual(before);
    await rm(directory, { recursive: true });
  });

  it('are made with the next number and both ways', async () => {
    const directory = await mkdtemp(path.join(tmpdir(), 'migrations-'));
    await cp(migrations_dir, directory, { recursive: true });
    const last = (await readdir(directory)).sort().at(-1) ?? '';
    const made = await makeMigration(directory, 'Store opening, revised');
    const number = String(Number(last.slice(0, 4)) + 1).padStart(4, '0');
    expect(path.basename(made)).toBe(`${number}_store-opening-revised.sql`);
    const options = { url: hq.owner_url, directory, log: silentLog } as const;
    expect(await migrate({ ...options, direction: 'up' })).toHaveLength(1);
    expect(await migrate({ ...options, direction: 'down', count: 1 })).toHaveLength(1);
    await expect(makeMigration(directory, '; drop')).resolves.toContain('_drop.sql');
    await expect(makeMigration(directory, '!!')).rejects.toMatchObject({ code: 'usage' });
    await rm(directory, { recursive: true });
  });

  it('say when the schema is older or newer than the program', async () => {
    expect(() => assertSchemaFits({ applied: [], pending: ['0001'], unknown: [] })).toThrow(
      expect.objectContaining({ code: 'schema_older' }),
    );
    await hq.asOwner("insert into ops.migrations (name, run_on) values ('9999_later', now())");
    const state = await schemaState(hq.db, migrations_dir);
    expect(() => assertSchemaFits(state)).toThrow(
      expect.objectContaining({ code: 'schema_newer' }),
    );
    await hq.asOwner("delete from ops.migrations where name = '9999_later'");
  });
});
