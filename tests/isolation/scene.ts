/** What one attempt is made of: who asks, about which relation, for whose row, and what is due. */
import type { Column, Relation } from './catalogue.ts';
import { axisOf } from './catalogue.ts';
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

export function expected(scene: Scene, target: Target, command: Command): Case['expect'] {
  const { identity, relation, grants } = scene;
  const limits = limitsOf(identity, relation, command);
  if (limits === 'never' || (target.foreign && limits.includes(target.foreign))) return 'refuse';
  if (relation.kind === 'partition') return 'refuse';
  // With every right, a policy may show what the grants keep back: one's own.
  if (!granted(grants, command)) return scene.wide ? 'either' : 'refuse';
  // Further than one's own and allowed: whether there is a row is nobody's promise.
  return target.foreign === undefined ? 'reach' : 'either';
}

export function granted(grants: Grants, command: Command): boolean {
  return command === 'delete' ? grants.delete : grants[command].length > 0;
}

/** Columns that may be changed without touching a key. */
export function updatable(scene: Scene): Column[] {
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
export function witness(scene: Scene, command: Command): string {
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
