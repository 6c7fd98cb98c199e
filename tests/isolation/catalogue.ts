/** The relations that exist, read from the catalogue: what is added later is tested by itself. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Query } from '../../cloud-sync/db/pool.ts';
import type { Axis, World } from './world.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly required: boolean;
  readonly in_key: boolean;
  /** First label, for an enum. */
  readonly label: string | null;
}

export interface Relation {
  readonly name: string;
  readonly kind: 'table' | 'partition' | 'view';
  readonly columns: readonly Column[];
  /** Columns of the primary key. */
  readonly key: readonly string[];
  /** The column that says whose a row is, by axis. */
  readonly axes: Partial<Record<Axis, string>>;
  /** Lower bound of a partition. */
  readonly from: string | null;
}

/** `id` is an axis where the table is the axis. */
const ids: Readonly<Record<string, Axis>> = {
  'public.organizations': 'organization',
  'public.stores': 'store',
  'app.gateways': 'gateway',
  'app.users': 'user',
  'public.user_profiles': 'user',
};

/** Rows of no tenant: names and times of HQ's own jobs. */
const ofNobody = ['app.job_runs'];

export async function readRelations(query: Query): Promise<Relation[]> {
  const relations = await query<Omit<Relation, 'axes'>>(
    `select n.nspname || '.' || c.relname as name,
       case when c.relkind = 'v' then 'view' when c.relispartition then 'partition'
         else 'table' end as kind,
       substring(pg_get_expr(c.relpartbound, c.oid) from $$FROM \\('([^']+)'$$) as from,
       (select json_agg(json_build_object('name', a.attname,
           'type', format_type(a.atttypid, null),
           'required', a.attnotnull and not a.atthasdef and a.attidentity = '',
           'in_key', exists (select from pg_index i
             where i.indrelid = c.oid and i.indisunique and a.attnum = any (i.indkey)),
           'label', (select e.enumlabel from pg_enum e where e.enumtypid = a.atttypid
             order by e.enumsortorder limit 1)) order by a.attnum)
         from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
       array(select a.attname::text from pg_index i join pg_attribute a
         on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
         where i.indrelid = c.oid and i.indisprimary) as key
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where n.nspname in ('public', 'app', 'parts') and c.relkind in ('r', 'p', 'v', 'm', 'f')
     order by 1`,
  );
  return relations
    .filter(({ name }) => !ofNobody.includes(name))
    .map((relation) => ({ ...relation, axes: axesOf(relation) }));
}

function axesOf(relation: Omit<Relation, 'axes'>): Relation['axes'] {
  const named = (column: string) => relation.columns.some(({ name }) => name === column);
  const axes: Partial<Record<Axis, string>> = {};
  for (const axis of ['organization', 'store', 'gateway', 'user'] as const) {
    if (named(`${axis}_id`)) axes[axis] = `${axis}_id`;
  }
  const own = ids[relation.name];
  return own === undefined ? axes : { ...axes, [own]: 'id' };
}

/** Fills every table with a row for each combination of owners. */
export async function populate(
  query: Query,
  relations: readonly Relation[],
  world: World,
): Promise<void> {
  for (const relation of relations) {
    if (relation.kind === 'view' || settled.includes(relation.name)) continue;
    // Rows that were put away stand among the others, with the same owners.
    const softly = relation.columns.some(({ name }) => name === 'deleted_at');
    const ages = softly ? [[], [['deleted_at', 'now()'] as const]] : [[]];
    for (const [owners, age] of combinations(relation, world).flatMap((one) =>
      ages.map((age) => [one, age] as const),
    )) {
      const cells = relation.columns.flatMap((column) => {
        const axis = axisOf(relation, column.name);
        if (axis !== undefined) return [[column.name, `'${owners[axis]}'`] as const];
        return column.required ? [[column.name, literal(column, relation)] as const] : [];
      });
      cells.push(...age);
      const names = cells.map(([name]) => `"${name}"`).join(', ');
      const values = cells.map(([, value]) => value).join(', ');
      await query(
        `insert into ${relation.name} (${names}) values (${values}) on conflict do nothing`,
      );
    }
  }
}

/** Filled by settle(): these rows decide what others are seen. */
export const settled = [
  'public.organizations',
  'public.stores',
  'public.regions',
  'app.users',
  'app.memberships',
  'app.membership_stores',
  'app.membership_regions',
  'app.gateways',
];

export function axisOf(relation: Relation, column: string): Axis | undefined {
  return (Object.keys(relation.axes) as Axis[]).find((axis) => relation.axes[axis] === column);
}

function combinations(relation: Relation, world: World): Record<Axis, string>[] {
  const { own, other, gateway_elsewhere, users } = world;
  const has = (axis: Axis) => relation.axes[axis] !== undefined;
  const rows: Record<Axis, string>[] = [];
  const places = [
    [own.gateway, own.store],
    [other.gateway, own.store],
    [gateway_elsewhere, other.store],
    [own.gateway, other.store],
  ] as const;
  for (const organization of has('organization') ? [own.organization, other.organization] : ['']) {
    for (const [gateway, store] of has('store') || has('gateway') ? places : [['', ''] as const]) {
      for (const user of has('user') ? [...Object.values(users), other.user] : ['']) {
        rows.push({ organization, store, gateway, user });
      }
    }
  }
  return rows;
}

/** A value that nobody else has, of the column's type. */
export function literal(column: Column, relation: Relation): string {
  const { type, label } = column;
  if (label !== null) return `'${label}'`;
  if (type === 'uuid') return `'${randomUUID()}'`;
  if (type === 'bytea') return `'\\x${randomBytes(32).toString('hex')}'`;
  if (type.startsWith('timestamp')) return relation.from === null ? 'now()' : `'${relation.from}'`;
  if (type === 'date') return `'${relation.from ?? '2026-01-01'}'::timestamptz::date`;
  if (type.startsWith('time')) return `'12:00'`;
  if (type === 'boolean') return 'true';
  if (type.startsWith('json')) return `'{}'`;
  if (type.endsWith('[]') || type.includes('multirange')) return `'{}'`;
  if (/int|real|numeric|double/.test(type)) return String(randomBytes(1).readUInt8());
  return `'${randomUUID()}'`;
}
