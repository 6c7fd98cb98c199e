/** What `doctor` looks at: everything that could be wrong without a request failing yet. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { schemaState } from './migrations.ts';
import type { Database } from './pool.ts';
import type { DatabaseServer } from './server.ts';
import { assertMayServe, loginOf } from './server.ts';
import { isSupported } from './server-version.ts';

export interface Check {
  readonly check: string;
  readonly result: 'ok' | 'fault';
  /** The value seen. */
  readonly detail: string;
  /** What to do next, for a fault. */
  readonly hint?: string;
}

const clock_skew_max_ms = 2_000;

/** Runs every check; a fault in one does not hide the others. */
export async function checkDatabase(options: {
  db: Database;
  server: DatabaseServer;
  migrations_dir: string;
  clock: Clock;
}): Promise<Check[]> {
  const { db, server, migrations_dir, clock } = options;
  const schema = await checkSchema(db, migrations_dir);
  const checks = [...(await checkLogin(server)), schema];
  // Without a schema there is nothing else to look at, nor a role to look with.
  return schema.result === 'fault'
    ? checks
    : [...checks, await checkClock(db, clock), ...(await checkTables(db))];
}

function judged(check: string, good: boolean, detail: string, hint: string): Check {
  return good ? { check, result: 'ok', detail } : { check, result: 'fault', detail, hint };
}

async function checkLogin(server: DatabaseServer): Promise<Check[]> {
  const login = await loginOf(server.service_url);
  let refusal = '';
  try {
    assertMayServe(login);
  } catch (error) {
    refusal = (error as { detail?: string }).detail ?? '';
  }
  return [
    judged(
      'server',
      isSupported(login.number),
      `${server.kind} PostgreSQL ${login.text}`,
      'Use PostgreSQL 15.14, 16.10, 17.6 or 18 or newer.',
    ),
    judged(
      'login',
      refusal === '',
      refusal || `"${login.name}" is neither superuser nor owner and has no BYPASSRLS`,
      'Name the login cloud_sync in DATABASE_URL; `serve` refuses this one.',
    ),
  ];
}

async function checkSchema(db: Database, migrations_dir: string): Promise<Check> {
  const { applied, pending, unknown } = await schemaState(db, migrations_dir);
  const detail = `${applied.length} applied, ${pending.length} pending, ${unknown.length} unknown`;
  const hint =
    unknown.length > 0
      ? `Upgrade Footbridge: it does not know ${unknown.join(', ')}.`
      : 'Run `footbridge-hq migrate up`.';
  return judged('schema', pending.length + unknown.length === 0, detail, hint);
}

async function checkClock(db: Database, clock: Clock): Promise<Check> {
  const before = clock.now();
  const [row] = await db.inTenant({}, 'app_operator', ({ query }) =>
    query<{ now: Date }>('select clock_timestamp() as now'),
  );
  const middle = (before + clock.now()) / 2;
  const skew_ms = Math.round((row?.now.getTime() ?? 0) - middle);
  return judged(
    'clock',
    Math.abs(skew_ms) <= clock_skew_max_ms,
    `the database is ${skew_ms} ms ahead`,
    'Run a time service (chrony, systemd-timesyncd) on both machines.',
  );
}

async function checkTables(db: Database): Promise<Check[]> {
  return db.inTenant({}, 'app_operator', async ({ query }) => {
    const open = await query<{ name: string }>(
      `select c.oid::regclass::text as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', 'app', 'parts') and c.relkind in ('r', 'p')
         and not (c.relrowsecurity and c.relforcerowsecurity) order by 1`,
    );
    const months = await query<{ parent: string; ahead: boolean }>(
      `select parent, to_char(now() at time zone 'UTC' + interval '1 month', 'YYYY-MM')
         = any (app.partition_months(parent)) as ahead
       from unnest(array['people_counting_raw', 'regional_counting_raw']) as parent`,
    );
    const late = months.filter(({ ahead }) => !ahead).map(({ parent }) => parent);
    return [
      judged(
        'row security',
        open.length === 0,
        open.length === 0
          ? 'enabled and forced on every table and partition'
          : `not forced on ${open.map(({ name }) => name).join(', ')}`,
        'As their owner: ALTER TABLE … ENABLE, then FORCE ROW LEVEL SECURITY.',
      ),
      judged(
        'partitions',
        late.length === 0,
        late.length === 0
          ? 'the next month is ready'
          : `no partition for the next month of ${late.join(', ')}`,
        'Start `footbridge-hq serve`: it creates them at start and every night.',
      ),
    ];
  });
}
