/** What `doctor` looks at: everything that could be wrong without a request failing yet. */
import type { FindingCode } from '../../shared/findings/catalogue.ts';
import { type Finding, found, good } from '../../shared/findings/finding.ts';
import type { Clock } from '../../shared/runtime/clock.ts';
import { schemaState } from './migrations.ts';
import type { Database } from './pool.ts';
import type { DatabaseServer } from './server.ts';
import { assertMayServe, loginOf } from './server.ts';
import { isSupported } from './server-version.ts';
import { checkBackup, checkConnections } from './upkeep-checks.ts';

const clock_skew_max_ms = 2_000;
/** 90 days, the month that has to end first, and a week in which nobody noticed. */
const raw_days_max = 130;

/** What lets somebody around row security, though it is on: one name a line. */
const gaps = `
  select 'table ' || c.oid::regclass || ' is not owned by app_owner' as gap from pg_class c
  where c.relnamespace::regnamespace::text in ('public', 'app', 'parts')
    and c.relkind in ('r', 'p', 'v') and pg_get_userbyid(c.relowner) <> 'app_owner'
  union all
  select 'view ' || c.oid::regclass || ' reads as its owner' from pg_class c
  where c.relnamespace::regnamespace::text in ('public', 'app') and c.relkind = 'v'
    and not coalesce(c.reloptions @> array['security_invoker=true'], false)
  union all
  select 'function ' || p.oid::regprocedure || ' has the search_path of its caller' from pg_proc p
  where p.pronamespace::regnamespace::text in ('public', 'app')
    and not coalesce(p.proconfig @> array['search_path=""'], false)
  union all
  select a.privilege_type || ' on ' || c.oid::regclass || ' for '
    || coalesce(nullif(a.grantee, 0)::regrole::text, 'everybody')
  from pg_class c, aclexplode(c.relacl) a
  where c.relnamespace::regnamespace::text in ('public', 'app', 'parts') and a.grantee <> c.relowner
    and (a.grantee = 0 or a.privilege_type in ('TRUNCATE', 'REFERENCES', 'TRIGGER'))
  order by 1`;

/** Runs every check; a fault in one does not hide the others. */
export async function checkDatabase(options: {
  db: Database;
  server: DatabaseServer;
  migrations_dir: string;
  clock: Clock;
}): Promise<Finding[]> {
  const { db, server, migrations_dir, clock } = options;
  const schema = await checkSchema(db, migrations_dir);
  const checks = [...(await checkLogin(server)), schema];
  // Without a schema there is nothing else to look at, nor a role to look with.
  return schema.result === 'fault'
    ? checks
    : [
        ...checks,
        await checkClock(db, clock),
        ...(await checkTables(db)),
        await checkConnections(db),
        await checkBackup(db, server, clock),
      ];
}

export function judged(
  check: string,
  isGood: boolean,
  seen: string,
  code: FindingCode,
  todo?: string,
): Finding {
  return isGood ? good(check, seen) : found(check, code, seen, todo);
}

async function checkLogin(server: DatabaseServer): Promise<Finding[]> {
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
      'postgres_old',
    ),
    judged(
      'login',
      refusal === '',
      refusal || `"${login.name}" is neither superuser nor owner and has no BYPASSRLS`,
      'login_strong',
    ),
  ];
}

async function checkSchema(db: Database, migrations_dir: string): Promise<Finding> {
  const { applied, pending, unknown } = await schemaState(db, migrations_dir);
  const detail = `${applied.length} applied, ${pending.length} pending, ${unknown.length} unknown`;
  const todo =
    unknown.length > 0 ? `Upgrade Footbridge: it does not know ${unknown.join(', ')}.` : undefined;
  return judged('schema', pending.length + unknown.length === 0, detail, 'schema_apart', todo);
}

async function checkClock(db: Database, clock: Clock): Promise<Finding> {
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
    'clocks_apart',
  );
}

async function checkTables(db: Database): Promise<Finding[]> {
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
    const holes = await query<{ gap: string }>(gaps);
    const overdue = await query<{ part: string }>(
      `select parent || ' ' || month as part
       from unnest(array['people_counting_raw', 'regional_counting_raw']) as parent,
         unnest(app.partition_months(parent)) as month
       where (month || '-01')::date < now() - make_interval(days => $1)`,
      [raw_days_max],
    );
    const late = months.filter(({ ahead }) => !ahead).map(({ parent }) => parent);
    return [
      judged(
        'row security',
        open.length === 0,
        open.length === 0
          ? 'enabled and forced on every table and partition'
          : `not forced on ${open.map(({ name }) => name).join(', ')}`,
        'row_security_open',
      ),
      judged(
        'rights',
        holes.length === 0,
        holes.length === 0
          ? 'owners, grants, views and functions are as migrations left them'
          : holes.map(({ gap }) => gap).join('; '),
        'rights_changed',
      ),
      judged(
        'retention',
        overdue.length === 0,
        overdue.length === 0
          ? 'no raw month is overdue'
          : `overdue: ${overdue.map(({ part }) => part).join(', ')}`,
        'archive_overdue',
      ),
      judged(
        'partitions',
        late.length === 0,
        late.length === 0
          ? 'the next month is ready'
          : `no partition for the next month of ${late.join(', ')}`,
        'partition_missing',
      ),
    ];
  });
}
