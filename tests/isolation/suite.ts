/** Puts one database through the whole suite. */
import type { Query } from '../../cloud-sync/db/pool.ts';
import { withClient } from '../../cloud-sync/db/pool.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { casesOf } from './cases.ts';
import type { Relation } from './catalogue.ts';
import { populate, readRelations, settled } from './catalogue.ts';
import { copyFailures } from './copying.ts';
import { foreignKeyFailures } from './foreign-keys.ts';
import { functionFailures } from './functions.ts';
import type { Identity } from './identities.ts';
import { identities } from './identities.ts';
import type { Failure } from './probe.ts';
import { installProbe, judgeAll } from './probe.ts';
import type { Case, Grants, Scene } from './scene.ts';
import { targetsOf } from './scene.ts';
import { structureFailures } from './structure.ts';
import type { World } from './world.ts';
import { inventWorld, settle } from './world.ts';

/** A database with the two organizations in it, and every attempt on it. */
export interface Stage {
  readonly query: Query;
  /** Rows that a COPY gave. */
  readonly copied: (statement: string) => Promise<number>;
  readonly world: World;
  readonly relations: readonly Relation[];
  readonly everybody: readonly Identity[];
  /** With the rights as granted, and again with every right on every table. */
  readonly asGranted: readonly Case[];
  readonly wide: readonly Case[];
}

export interface Verdict {
  readonly cases: number;
  readonly failures: readonly Failure[];
}

/** Runs `work` on a staged database, over one connection as superuser. */
export async function onStage<T>(
  database: TestDatabase,
  work: (stage: Stage) => Promise<T>,
  options: { before?: string; pick?: (one: Case) => boolean } = {},
): Promise<T> {
  return withClient(database.owner_url, async (client) => {
    const query: Query = async (text, values) => (await client.query(text, values)).rows;
    await query('select app.ensure_partitions(0, 1)');
    if (options.before !== undefined) await query(options.before);
    await installProbe(query);
    await liftChecks(query);
    const world = inventWorld();
    // Rows of both organizations with equal ids, whatever order the tables come in.
    await query("set session_replication_role = 'replica'");
    await settle(query, world);
    const relations = await readRelations(query);
    await populate(query, relations, world);
    await query("set session_replication_role = 'origin'");
    const everybody = identities(world);
    // Roles belong to the server, not to this database: it goes again, whatever happens.
    await query(`create role ${world.bi_login} in role app_bi`);
    const make = async (wide: boolean) =>
      (await allCases(query, relations, everybody, world, wide)).filter(
        options.pick ?? (() => true),
      );
    const stage = async (): Promise<Stage> => ({
      query,
      copied: async (statement) => (await client.query(statement)).rowCount ?? 0,
      world,
      relations,
      everybody,
      asGranted: await make(false),
      wide: await make(true),
    });
    try {
      return await work(await stage());
    } finally {
      await query(`drop role ${world.bi_login}`);
    }
  });
}

/** All of it: structure, attempts as granted, attempts with every right, COPY and functions. */
export async function judgeStage(stage: Stage): Promise<Verdict> {
  const structure = await structureFailures(stage.query);
  const asGranted = await judgeAll(stage.query, stage.asGranted);
  const copies = await copyFailures(stage);
  const functions = await functionFailures(stage);
  const [wide, keys] = await withEveryRight(stage, async () => [
    await judgeAll(stage.query, stage.wide),
    await foreignKeyFailures(stage),
  ]);
  return {
    cases:
      structure.cases +
      stage.asGranted.length +
      copies.cases +
      functions.cases +
      stage.wide.length +
      keys.cases,
    failures: [
      ...structure.failures,
      ...asGranted,
      ...copies.failures,
      ...functions.failures,
      ...wide,
      ...keys.failures,
    ],
  };
}

/** The policies alone: grants could hide that one of them lets too much pass. */
export async function withEveryRight<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
  await stage.query('begin');
  try {
    const roles = new Set(stage.everybody.map(({ role }) => role));
    for (const role of roles) {
      if (role === 'app_owner' || role === 'cloud_sync') continue;
      for (const schema of ['public', 'app', 'parts']) {
        await stage.query(`grant usage on schema ${schema} to ${role}`);
        await stage.query(
          `grant select, insert, update, delete on all tables in schema ${schema} to ${role}`,
        );
      }
    }
    return await work();
  } finally {
    await stage.query('rollback');
  }
}

/** CHECK constraints are about values; without them any value of the right type will do. */
async function liftChecks(query: Query): Promise<void> {
  const checks = await query<{ name: string; relation: string }>(
    `select quote_ident(conname) as name, conrelid::regclass::text as relation from pg_constraint
     where contype = 'c' and conrelid <> 0 and coninhcount = 0
       and connamespace::regnamespace::text in ('public', 'app', 'parts')`,
  );
  for (const { name, relation } of checks) {
    await query(`alter table ${relation} drop constraint ${name}`);
  }
}

async function allCases(
  query: Query,
  relations: readonly Relation[],
  everybody: readonly Identity[],
  world: World,
  wide: boolean,
): Promise<Case[]> {
  const cases: Case[] = [];
  for (const relation of relations) {
    const [sample] =
      relation.kind === 'view'
        ? []
        : await query<{ row: Record<string, unknown> }>(
            `select to_jsonb(r) as row from ${relation.name} r limit 1`,
          );
    const grants = await grantsOn(query, relation);
    for (const identity of everybody) {
      const mine = grants.find(({ role }) => role === identity.role);
      if (mine === undefined) throw new Error(`no such role: ${identity.role}`);
      const scene = { identity, relation, grants: mine, wide, sample: sample?.row, world };
      if (identity.role === 'app_ingest') await assertRowsToMiss(query, scene);
      cases.push(...casesOf(scene));
    }
  }
  return cases;
}

/** Where there is no foreign row, not reaching one proves nothing. */
async function assertRowsToMiss(query: Query, scene: Scene): Promise<void> {
  if (scene.relation.kind === 'view' || settled.includes(scene.relation.name)) return;
  const { name } = scene.relation;
  for (const target of targetsOf(scene)) {
    const rows = await query(`select from ${name} where ${target.where} limit 1`);
    if (rows.length === 0) throw new Error(`${name} has no row of "${target.name}" to reach`);
  }
  if (Object.keys(scene.relation.axes).length === 0) {
    throw new Error(`${name} has no column that says whose a row is (organization_id …)`);
  }
}

async function grantsOn(query: Query, relation: Relation): Promise<Grants[]> {
  return query<Grants>(
    `select $1 as relation, r.rolname::text as role,
       array(select a.attname::text from pg_attribute a where a.attrelid = $1::regclass
         and a.attnum > 0 and not a.attisdropped and usable
         and has_column_privilege(r.oid, a.attrelid, a.attnum, 'select')) as select,
       array(select a.attname::text from pg_attribute a where a.attrelid = $1::regclass
         and a.attnum > 0 and not a.attisdropped and usable
         and has_column_privilege(r.oid, a.attrelid, a.attnum, 'insert')) as insert,
       array(select a.attname::text from pg_attribute a where a.attrelid = $1::regclass
         and a.attnum > 0 and not a.attisdropped and usable
         and has_column_privilege(r.oid, a.attrelid, a.attnum, 'update')) as update,
       usable and has_table_privilege(r.oid, $1, 'delete') as delete
     from pg_roles r, lateral (
       select has_schema_privilege(r.oid, split_part($1, '.', 1), 'usage') as usable) u`,
    [relation.name],
  );
}
