/** Each finding about HQ's database, put there for real and taken away again. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { checkDatabase } from '../../cloud-sync/db/checks.ts';
import type { DatabaseServer } from '../../cloud-sync/db/server.ts';
import { ensurePartitions } from '../../cloud-sync/partitions.ts';
import type { FindingCode } from '../../shared/findings/catalogue.ts';
import { worstFirst } from '../../shared/findings/finding.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import {
  describeOnEngines,
  migrations_dir,
  openTestDatabase,
  type TestDatabase,
} from '../support/postgres.ts';

describeOnEngines('footbridge-hq doctor', (engine) => {
  let hq: TestDatabase;
  let server: DatabaseServer;
  /** What takes the harm of this test away. */
  let cure: string;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await ensurePartitions(hq.db);
    const { service_url, owner_url } = hq;
    server = { kind: 'external', service_url, owner_url, embedded: undefined, async stop() {} };
  });
  afterEach(async () => {
    await hq.asOwner(cure);
    expect(await faults()).toEqual([]);
  });
  afterAll(() => hq.close());

  /** Without connections: other test files hold those of this server. */
  const faults = async (changes: Partial<DatabaseServer> = {}) => {
    const findings = await checkDatabase({
      db: hq.db,
      server: { ...server, ...changes },
      migrations_dir,
      clock: systemClock,
    });
    return worstFirst(findings).filter(
      ({ check, result }) => check !== 'connections' && result !== 'good',
    );
  };
  /** Finds this and nothing else, with the value that it saw. */
  const expectFirst = async (
    code: FindingCode,
    seen: string,
    changes: Partial<DatabaseServer> = {},
  ) => {
    expect(await faults(changes)).toMatchObject([
      { code, result: 'fault', seen: expect.stringContaining(seen) },
    ]);
  };

  it.each([
    'alter table public.alerts no force row level security',
    'alter table public.alerts disable row level security',
  ])('finds a table whose row security is off: %s', async (harm) => {
    cure = 'alter table public.alerts enable row level security, force row level security';
    await hq.asOwner(harm);
    await expectFirst('row_security_open', 'not forced on alerts');
  });

  it.each([
    [
      'grant truncate on public.alerts to authenticated',
      'revoke truncate on public.alerts from authenticated',
      'TRUNCATE on alerts for authenticated',
    ],
    [
      'grant select on public.alerts to public',
      'revoke select on public.alerts from public',
      'SELECT on alerts for everybody',
    ],
    [
      'alter function app.member_store_ids() reset search_path',
      "alter function app.member_store_ids() set search_path = ''",
      'has the search_path of its caller',
    ],
    [
      'alter view public.latest_sensor_data reset (security_invoker)',
      'alter view public.latest_sensor_data set (security_invoker = true)',
      'view latest_sensor_data reads as its owner',
    ],
    [
      'alter table public.alerts owner to postgres',
      'alter table public.alerts owner to app_owner',
      'table alerts is not owned by app_owner',
    ],
  ])('finds what lets somebody around it: %s', async (harm, healing, seen) => {
    cure = healing;
    await hq.asOwner(harm);
    await expectFirst('rights_changed', seen);
  });

  it('finds a raw month that nobody archived', async () => {
    cure = "select app.drop_month('people_counting_raw', '2020-01-01', 0)";
    await hq.asOwner("select app.open_month('people_counting_raw', '2020-01-01')");
    await expectFirst('archive_overdue', 'people_counting_raw 2020-01');
  });

  it('finds that the next month has no partition', async () => {
    cure = 'select app.ensure_partitions(0, 3)';
    await hq.asOwner(
      `select app.drop_month('regional_counting_raw',
         date_trunc('month', now() at time zone 'UTC' + interval '1 month')::date, 0)`,
    );
    await expectFirst('partition_missing', 'the next month of regional_counting_raw');
  });

  it('finds a migration that has not run, and one of a newer program', async () => {
    const [last] = await hq.asOwner<{ id: number; name: string }>(
      'select id, name from ops.migrations order by id desc limit 1',
    );
    cure = `update ops.migrations set name = '${last?.name}' where id = ${last?.id}`;
    await hq.asOwner(`update ops.migrations set name = '9999_later' where id = ${last?.id}`);
    await expectFirst('schema_apart', '1 pending, 1 unknown');
    const [finding] = await faults();
    expect(finding?.todo).toContain('does not know 9999_later');
  });

  it('finds a login that could step around the wall', async () => {
    cure = 'select';
    const { owner_url: service_url } = hq;
    await expectFirst('login_strong', '"postgres" is a superuser', { service_url });
  });

  it('finds a backup of ours that is three days old, and none at all on a server of ours', async () => {
    cure = "delete from app.job_runs where job in ('backup', 'partitions')";
    const days_ago = "now() - interval '3 days'";
    await hq.asOwner(
      `insert into app.job_runs (job, started_at) values ('partitions', ${days_ago})`,
    );
    await expectFirst('backup_missing', 'there is none', { kind: 'embedded' });
    await hq.asOwner(
      `insert into app.job_runs (job, started_at, finished_at, outcome)
       values ('backup', ${days_ago}, ${days_ago}, 'done')`,
    );
    await expectFirst('backup_missing', 'the last is 72 hours old');
  });
});
