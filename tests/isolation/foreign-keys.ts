/**
 * A foreign key looks at the table it refers to past row security. An answer that differs between a
 * row of another organization and a row that does not exist would tell the two apart.
 */
import { randomUUID } from 'node:crypto';
import type { Column, Relation } from './catalogue.ts';
import { axisOf, literal } from './catalogue.ts';
import type { Identity } from './identities.ts';
import { become } from './identities.ts';
import type { Failure } from './probe.ts';
import type { Stage } from './suite.ts';
import type { Axis } from './world.ts';

interface ForeignKey {
  readonly name: string;
  readonly relation: string;
  readonly referred: string;
  /** Columns beside organization_id, and the columns they refer to. */
  readonly columns: readonly string[];
  readonly referred_columns: readonly string[];
}

export async function foreignKeyFailures(
  stage: Stage,
): Promise<{ cases: number; failures: Failure[] }> {
  const failures: Failure[] = [];
  let cases = 0;
  for (const key of await readForeignKeys(stage)) {
    const relation = stage.relations.find(({ name }) => name === key.relation);
    if (relation === undefined || relation.kind !== 'table') continue;
    const elsewhere = await leaveOnlyElsewhere(stage, key);
    for (const identity of stage.everybody) {
      const told: string[] = [];
      for (const values of [elsewhere, nowhereLike(elsewhere, key, relation)]) {
        cases++;
        told.push(await attempt(stage, identity, relation, key, values));
      }
      const [theirs, nowhere] = told;
      if (theirs === nowhere && theirs !== 'stored') continue;
      const detail = `a row of others: ${theirs}; no row at all: ${nowhere}`;
      failures.push({ kind: 'leak', attempt: `${identity.name}: probes ${key.name}`, detail });
    }
    await stage.query('rollback to savepoint probed');
  }
  return { cases, failures };
}

function readForeignKeys({ query }: Stage): Promise<ForeignKey[]> {
  return query<ForeignKey>(
    `select c.conname as name, cn.nspname || '.' || cr.relname as relation,
       fn.nspname || '.' || fr.relname as referred,
       array(select a.attname::text from unnest(c.conkey) with ordinality k (n, i)
         join pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.n
         where a.attname <> 'organization_id' order by k.i) as columns,
       array(select a.attname::text from unnest(c.confkey) with ordinality k (n, i)
         join pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.n
         where a.attname <> 'organization_id' order by k.i) as referred_columns
     from pg_constraint c
     join pg_class cr on cr.oid = c.conrelid join pg_namespace cn on cn.oid = cr.relnamespace
     join pg_class fr on fr.oid = c.confrelid join pg_namespace fn on fn.oid = fr.relnamespace
     where c.contype = 'f' and c.conparentid = 0 and cn.nspname in ('public', 'app')
       and fr.oid <> 'public.organizations'::regclass and fr.oid <> 'app.users'::regclass
     order by 1`,
  );
}

/** The key of a row that both organizations have; the own one is taken away. */
async function leaveOnlyElsewhere(stage: Stage, key: ForeignKey): Promise<unknown[]> {
  const { own, other } = stage.world;
  const list = key.referred_columns.map((name) => `"${name}"`).join(', ');
  await stage.query('savepoint probed');
  await stage.query("set local session_replication_role = 'replica'");
  // Both have it: the axes are twins, and the rest is copied from the row of the other one.
  const referred = stage.relations.find(({ name }) => name === key.referred);
  const foreign = ['store', 'gateway', 'user'].flatMap((axis) => {
    const column = referred?.axes[axis as Axis];
    return column === undefined || !key.referred_columns.includes(column)
      ? []
      : [`(${column} = '${other[axis as Axis]}')::int`];
  });
  const [row] = await stage.query<Record<string, unknown>>(
    `select ${list} from ${key.referred} where organization_id = $1
     order by ${[...foreign, '0::int'].join(' + ')} desc limit 1`,
    [other.organization],
  );
  if (row === undefined) throw new Error(`${key.referred} has no row of the other organization`);
  const values = key.referred_columns.map((name) => row[name]);
  await stage.query(
    `delete from ${key.referred} where organization_id = $1
     and (${list}) = (${values.map((_, i) => `$${i + 2}`).join(', ')})`,
    [own.organization, ...values],
  );
  // Rows that referred to it would be found as duplicates, which tells nothing about others.
  await stage.query(
    `delete from ${key.relation} where organization_id = $1
     and (${key.columns.map((name) => `"${name}"`).join(', ')})
       = (${values.map((_, i) => `$${i + 2}`).join(', ')})`,
    [own.organization, ...values],
  );
  await stage.query("set local session_replication_role = 'origin'");
  return values;
}

/** Values of no row anywhere; whose it would be stays the same, where something else can change. */
function nowhereLike(
  elsewhere: readonly unknown[],
  { columns }: ForeignKey,
  relation: Relation,
): unknown[] {
  const isAxis = (name: string) => axisOf(relation, name) !== undefined;
  return columns.map((name, i) =>
    isAxis(name) && !columns.every(isAxis) ? elsewhere[i] : invented(relation, name),
  );
}

function invented(relation: Relation, name: string): unknown {
  const column = relation.columns.find((one) => one.name === name);
  return column?.type === 'uuid' ? randomUUID() : `nowhere-${randomUUID()}`;
}

/** What the server says to a row of one's own that refers to these values. */
async function attempt(
  stage: Stage,
  identity: Identity,
  relation: Relation,
  key: ForeignKey,
  values: readonly unknown[],
): Promise<string> {
  const { world } = stage;
  const own = { ...world.own, user: identity.user ?? world.users['viewer'] ?? '' };
  const cellOf = (column: Column): string | undefined => {
    const at = key.columns.indexOf(column.name);
    if (at >= 0) return `'${String(values[at]).replaceAll("'", "''")}'`;
    const axis = axisOf(relation, column.name);
    if (axis !== undefined) return `'${own[axis]}'`;
    return column.required ? literal(column, relation) : undefined;
  };
  const cells = relation.columns.flatMap((column) => {
    const value = cellOf(column);
    return value === undefined ? [] : [[`"${column.name}"`, value] as const];
  });
  await stage.query('savepoint attempted');
  try {
    await stage.query(become(identity));
    await stage.query(
      `insert into ${relation.name} (${cells.map(([name]) => name).join(', ')})
       values (${cells.map(([, value]) => value).join(', ')})`,
    );
    await stage.query('set constraints all immediate');
    return 'stored';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    await stage.query('rollback to savepoint attempted');
  }
}
