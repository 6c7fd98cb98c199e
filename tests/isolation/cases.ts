/**
 * Every attempt: who × relation × command × whose row × in which form. An attempt that must fail is
 * a leak when it does not; one that must succeed proves that the others did not fail for nothing.
 */
import { randomUUID } from 'node:crypto';
import type { Column, Relation } from './catalogue.ts';
import { axisOf, literal } from './catalogue.ts';
import type { Command } from './identities.ts';
import { limitsOf } from './identities.ts';
import type { Case, Scene, Target } from './scene.ts';
import { expected, granted, targetsOf, updatable, witness } from './scene.ts';
import type { Axis } from './world.ts';

export function casesOf(scene: Scene): Case[] {
  const targets = targetsOf(scene);
  const attempts = targets.flatMap((target) => [
    ...reads(scene, target),
    ...(scene.sample === undefined ? [] : inserts(scene, target, scene.sample)),
    ...changes(scene, target),
    ...(target.foreign === undefined ? [] : moves(scene, target)),
  ]);
  return [...attempts, ...putAway(scene)];
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
          make(
            'update',
            'every row',
            `update ${name} set ${set}${takingOver(scene)}`,
            everyRow(scene, 'update'),
          ),
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
  // What nobody may insert, nobody may make of a row that is there.
  const limits = limitsOf(identity, relation, 'insert');
  return [
    {
      identity,
      relation: relation.name,
      command: 'update',
      target: target.name,
      form: 'signed over',
      statement: `update ${relation.name} set "${column}" = '${target.owners[axis]}'${axis === 'gateway' ? '' : takingOver(scene)}`,
      expect: limits === 'never' || limits.includes(axis) ? 'refuse' : 'either',
      witness: witness(scene, 'update'),
    },
  ];
}

/** A statement without a condition takes what it can see and must not stumble over the rest. */
function everyRow(scene: Scene, command: 'update' | 'delete'): Case['expect'] {
  const { identity, relation, grants } = scene;
  if (limitsOf(identity, relation, command) === 'never') return 'refuse';
  if (relation.kind === 'partition' || !granted(grants, command)) return 'refuse';
  return command === 'update' && updatable(scene).length > 0 ? 'reach' : 'either';
}

/** A sensor of the gateway before is changed by taking it over, and no other way. */
function takingOver({ identity, relation, world }: Scene): string {
  const takes = identity.role === 'app_ingest' && relation.name === 'public.sensor_metadata';
  return takes ? `, gateway_id = '${world.own.gateway}'` : '';
}

/** What is deleted softly is gone for people, and nobody is added that way. */
function putAway(scene: Scene): Case[] {
  const { relation, identity, sample } = scene;
  const [column, value] = softly(relation);
  if (column === undefined) return [];
  const row = JSON.stringify({ ...sample, [relation.key[0] ?? '']: randomUUID(), [column]: value });
  const make = (command: Command, statement: string): Case => ({
    identity,
    relation: relation.name,
    command,
    target: 'put away',
    form: 'plain',
    statement,
    expect: 'refuse',
    witness: undefined,
  });
  const gone = `select 1 from ${relation.name} where deleted_at is not null`;
  const read = ['authenticated', 'app_bi'].includes(identity.role) && column === 'deleted_at';
  const added = relation.kind === 'table' && identity.role === 'app_operator';
  return [
    ...(read ? [make('select', gone)] : []),
    ...(added
      ? [
          make(
            'insert',
            `insert into ${relation.name} select * from jsonb_populate_record(
               null::${relation.name}, ${quoted(row)})`,
          ),
        ]
      : []),
  ];
}

function softly({ name, columns }: Relation): [string | undefined, unknown] {
  if (columns.some((column) => column.name === 'deleted_at')) {
    return ['deleted_at', '2026-01-01T00:00:00Z'];
  }
  return name === 'app.users' ? ['is_active', false] : [undefined, undefined];
}

function keyOf(relation: Relation): string {
  return relation.key.map((name) => `"${name}"`).join(', ');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
