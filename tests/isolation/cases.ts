/**
 * Every attempt: who × relation × command × whose row × in which form. An attempt that must fail is
 * a leak when it does not; one that must succeed proves that the others did not fail for nothing.
 */
import type { Column, Relation } from './catalogue.ts';
import { axisOf, literal } from './catalogue.ts';
import type { Command, Identity } from './identities.ts';
import { limitsOf } from './identities.ts';
import type { Axis, World } from './world.ts';

export interface Case {
  readonly identity: Identity;
  readonly relation: string;
  readonly command: Command;
  /** Whose row: `own`, `other store`, `other organization` … */
  readonly target: string;
  readonly form: string;
  readonly statement: string;
  /** Beside those of the identity. */
  readonly settings?: Readonly<Record<string, string>>;
  /** `either`: what happens is not judged, only that nothing foreign changed. */
  readonly expect: 'reach' | 'refuse' | 'either';
  /** Digest of all that the identity may not change; undefined for a read. */
  readonly witness: string | undefined;
}

/** What a role was granted on one relation, column by column. */
export interface Grants {
  readonly relation: string;
  readonly role: string;
  readonly select: readonly string[];
  readonly insert: readonly string[];
  readonly update: readonly string[];
  readonly delete: boolean;
}

export interface Target {
  readonly name: string;
  readonly foreign: Axis | undefined;
  readonly owners: Partial<Record<Axis, string>>;
  readonly where: string;
}

export interface Scene {
  readonly identity: Identity;
  readonly relation: Relation;
  readonly grants: Grants;
  /** Everything is granted to everybody, so that the policies stand alone. */
  readonly wide: boolean;
  /** Any row of the relation, as JSON; none for a view. */
  readonly sample: Readonly<Record<string, unknown>> | undefined;
  readonly world: World;
}

export function casesOf(scene: Scene): Case[] {
  const targets = targetsOf(scene);
  return targets.flatMap((target) => [
    ...reads(scene, target),
    ...(scene.sample === undefined ? [] : inserts(scene, target, scene.sample)),
    ...changes(scene, target),
    ...(target.foreign === undefined ? [] : moves(scene, target)),
  ]);
}

export function targetsOf(scene: Scene): Target[] {
  const { world } = scene;
  const { axes } = scene.relation;
  const own = ownOf(scene);
  const names = {
    organization: 'other organization',
    store: 'other store',
    gateway: 'other gateway',
    user: 'other user',
  };
  const present = (Object.keys(axes) as Axis[]).sort();
  const equal = (owners: Partial<Record<Axis, string>>) =>
    Object.entries(owners)
      .map(([axis, id]) => `${axes[axis as Axis]} = '${id}'`)
      .join(' and ');
  const mine = Object.fromEntries(present.map((axis) => [axis, own[axis]]));
  const targets: Target[] = [{ name: 'own', foreign: undefined, owners: mine, where: equal(mine) }];
  for (const axis of present) {
    const tenant =
      axis === 'organization' || axes.organization === undefined
        ? {}
        : { organization: own.organization };
    targets.push({
      name: names[axis],
      foreign: axis,
      owners: { ...mine, [axis]: world.other[axis] },
      where: equal({ ...tenant, [axis]: world.other[axis] }),
    });
  }
  if (axes.gateway !== undefined && axes.store === undefined) {
    const owners = { ...mine, gateway: world.gateway_elsewhere };
    const where = equal({ organization: own.organization, gateway: world.gateway_elsewhere });
    targets.push({ name: 'gateway of another store', foreign: 'store', owners, where });
  }
  return targets;
}

function reads(scene: Scene, target: Target): Case[] {
  const { name } = scene.relation;
  const expect = expected(scene, target, 'select');
  const make = (form: string, statement: string, wanted: Case['expect'] = expect): Case => ({
    identity: scene.identity,
    relation: name,
    command: 'select',
    target: target.name,
    form,
    statement,
    expect: wanted,
    witness: undefined,
  });
  const axis = Object.values(scene.relation.axes)[0] ?? '*';
  const aside = expect === 'reach' ? 'either' : expect;
  return [
    make('plain', `select 1 from ${name} where ${target.where}`),
    make('in a subquery', `select 1 where exists (select from ${name} where ${target.where})`),
    make(
      'joined',
      `select 1 from ${name} r join (values (1)) one (n) on true where ${target.where}`,
    ),
    make('aggregated', `select ${axis} from ${name} where ${target.where} group by 1`),
    make('locking', `select 1 from ${name} where ${target.where} for update`, aside),
    {
      // PostgreSQL refuses rather than stepping around a policy.
      ...make('without row security', `select 1 from ${name} where ${target.where}`, 'refuse'),
      settings: { row_security: 'off' },
    },
  ];
}

function inserts(scene: Scene, target: Target, sample: object): Case[] {
  const { relation, identity, grants, wide } = scene;
  const owned = Object.entries(target.owners).map(([axis, id]) => [
    relation.axes[axis as Axis],
    id,
  ]);
  const row = JSON.stringify({ ...sample, ...Object.fromEntries(owned) });
  const may = (column: Column) =>
    (wide && identity.role !== 'cloud_sync') || grants.insert.includes(column.name);
  const wanted = relation.columns.filter(
    (column) => column.required || axisOf(relation, column.name) !== undefined,
  );
  // A column that is not granted leaves its default: then there is nothing to forge.
  const columns = grants.insert.length === 0 ? wanted : wanted.filter(may);
  const forged = columns.some(({ name }) => name === relation.axes[target.foreign ?? 'user']);
  const given = expected(scene, target, 'insert');
  const expect = target.foreign !== undefined && !forged && !wide ? 'either' : given;
  const list = columns.map(({ name }) => `"${name}"`).join(', ');
  const text = `insert into ${relation.name} (${list})
    select ${list} from jsonb_populate_record(null::${relation.name}, ${quoted(row)})`;
  const make = (form: string, tail: string, judged = expect): Case => ({
    identity,
    relation: relation.name,
    command: 'insert',
    target: target.name,
    form,
    statement: text + tail,
    expect: judged,
    witness: witness(scene, 'insert'),
  });
  const aside = expect === 'reach' ? 'either' : expect;
  const [column] = updatable(scene);
  return [
    make('plain', ''),
    make('returning', ' returning 1', aside),
    make('on conflict do nothing', ' on conflict do nothing', aside),
    ...(column === undefined || keyOf(relation) === ''
      ? []
      : [
          make(
            'on conflict do update',
            ` on conflict (${keyOf(relation)}) do update set "${column.name}" = excluded."${column.name}"`,
            aside,
          ),
        ]),
  ];
}

function changes(scene: Scene, target: Target): Case[] {
  const { relation, identity } = scene;
  const [column] = updatable(scene);
  const own = Object.keys(relation.axes)[0] as Axis | undefined;
  const fallback = own && `${relation.axes[own]} = ${relation.axes[own]}`;
  const set = column === undefined ? fallback : `"${column.name}" = ${literal(column, relation)}`;
  const make = (
    command: Command,
    form: string,
    statement: string,
    wanted?: Case['expect'],
  ): Case => ({
    identity,
    relation: relation.name,
    command,
    target: target.name,
    form,
    statement,
    expect: wanted ?? expected(scene, target, command),
    witness: witness(scene, command),
  });
  const aside = (command: Command) => {
    const given = expected(scene, target, command);
    return given === 'reach' ? 'either' : given;
  };
  const { name } = relation;
  const all =
    target.foreign !== undefined
      ? []
      : [
          make('update', 'every row', `update ${name} set ${set}`, everyRow(scene, 'update')),
          make('delete', 'every row', `delete from ${name}`, everyRow(scene, 'delete')),
          // Row security does not hold TRUNCATE, and an owner needs no grant for it.
          ...(identity.role === 'app_owner'
            ? []
            : [make('delete', 'truncate', `truncate ${name}`, 'refuse')]),
        ];
  return [
    make('update', 'plain', `update ${name} set ${set} where ${target.where}`),
    make(
      'update',
      'returning',
      `update ${name} set ${set} where ${target.where} returning 1`,
      aside('update'),
    ),
    make('delete', 'plain', `delete from ${name} where ${target.where}`),
    make(
      'delete',
      'returning',
      `delete from ${name} where ${target.where} returning 1`,
      aside('delete'),
    ),
    make(
      'update',
      'merge',
      `merge into ${name} r using (values (1)) one (n) on ${target.where}
      when matched then update set ${set}`,
      aside('update'),
    ),
    make(
      'delete',
      'merge',
      `merge into ${name} r using (values (1)) one (n) on ${target.where}
      when matched then delete`,
      aside('delete'),
    ),
    ...all,
  ];
}

/** Own rows signed over to somebody else: the check on the new row, with no read to help it. */
function moves(scene: Scene, target: Target): Case[] {
  const { relation, identity } = scene;
  const axis = target.foreign as Axis;
  const column = relation.axes[axis];
  if (column === undefined) return [];
  const limits = limitsOf(identity, relation, 'update');
  return [
    {
      identity,
      relation: relation.name,
      command: 'update',
      target: target.name,
      form: 'signed over',
      statement: `update ${relation.name} set "${column}" = '${target.owners[axis]}'`,
      expect: limits === 'never' || limits.includes(axis) ? 'refuse' : 'either',
      witness: witness(scene, 'update'),
    },
  ];
}

function expected(scene: Scene, target: Target, command: Command): Case['expect'] {
  const { identity, relation, grants } = scene;
  const limits = limitsOf(identity, relation, command);
  if (limits === 'never' || (target.foreign && limits.includes(target.foreign))) return 'refuse';
  if (relation.kind === 'partition') return 'refuse';
  // With every right, a policy may show what the grants keep back: one's own.
  if (!granted(grants, command)) return scene.wide ? 'either' : 'refuse';
  // Further than one's own and allowed: whether there is a row is nobody's promise.
  return target.foreign === undefined ? 'reach' : 'either';
}

/** A statement without a condition takes what it can see and must not stumble over the rest. */
function everyRow(scene: Scene, command: 'update' | 'delete'): Case['expect'] {
  const { identity, relation, grants } = scene;
  if (limitsOf(identity, relation, command) === 'never') return 'refuse';
  if (relation.kind === 'partition' || !granted(grants, command)) return 'refuse';
  // Sensors of the gateway before: seen, and only to be taken over.
  if (identity.role === 'app_ingest' && relation.name === 'public.sensor_metadata') return 'either';
  return command === 'update' && updatable(scene).length > 0 ? 'reach' : 'either';
}

function granted(grants: Grants, command: Command): boolean {
  return command === 'delete' ? grants.delete : grants[command].length > 0;
}

/** Columns that may be changed without touching a key. */
function updatable(scene: Scene): Column[] {
  const { relation, grants } = scene;
  return relation.columns.filter(
    ({ name, in_key, type }) =>
      !in_key &&
      axisOf(relation, name) === undefined &&
      !type.startsWith('uuid') &&
      (scene.wide && grants.update.length === 0 ? true : grants.update.includes(name)),
  );
}

/** Digest of every row that is not the identity's own: no attempt may change it. */
function witness(scene: Scene, command: Command): string {
  const { identity, relation } = scene;
  const limits = limitsOf(identity, relation, command);
  const own = ownOf(scene);
  const foreign = (limits === 'never' ? [] : limits)
    .filter((axis) => relation.axes[axis] !== undefined)
    .map((axis) => `r.${relation.axes[axis]} is distinct from '${own[axis]}'`);
  const where = limits === 'never' ? 'true' : foreign.join(' or ') || 'false';
  return `select md5(coalesce(string_agg(r::text, '' order by r::text), ''))
    from ${relation.name} r where ${where}`;
}

function ownOf({ identity, world }: Scene): Record<Axis, string> {
  return { ...world.own, user: identity.user ?? world.users['viewer'] ?? '' };
}

function keyOf(relation: Relation): string {
  return relation.key.map((name) => `"${name}"`).join(', ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
