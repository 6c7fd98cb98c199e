/** Everybody who can ask the database something, and how far each may reach. */
import type { Axis, World } from './world.ts';

export type Command = 'select' | 'insert' | 'update' | 'delete';

export interface Identity {
  readonly name: string;
  readonly role: string;
  /** The login of the connection, where it says who asks; else the superuser's. */
  readonly login?: string;
  /** Configuration of the transaction, as cloud-sync/db/pool.ts sets it. */
  readonly settings: Readonly<Record<string, string>>;
  readonly user: string | undefined;
  /** Rows of its own on these axes only; `never` for those who may see nothing at all. */
  readonly limits: readonly Axis[] | 'never';
}

/** Roles of persons that see every store of their organization. */
const all_stores = ['tenant_admin', 'analyst'];

export function identities(world: World): Identity[] {
  const { organization, store, gateway } = world.own;
  const tenant = { 'app.organization_id': organization };
  const service = (
    role: string,
    settings: Record<string, string>,
    limits: Identity['limits'],
  ): Identity => ({ name: role, role, settings, user: undefined, limits });
  const person = (
    name: string,
    user: string | undefined,
    claims: Record<string, string>,
    limits: Identity['limits'],
  ): Identity => ({
    name,
    role: 'authenticated',
    settings: { 'request.jwt.claims': JSON.stringify(claims) },
    user,
    limits,
  });
  const manager = world.users['tenant_admin'] ?? '';
  const store_manager = { sub: world.users['store_manager'] ?? '', organization_id: organization };
  const stranger = { sub: world.stranger, organization_id: organization };
  // As public.pre_request() leaves it, for the claims it was found for.
  const found = (claims: Record<string, string>, stores: string[]): Record<string, string> => ({
    'app.scope_of': JSON.stringify(claims),
    'app.scope_organization_id': organization,
    'app.scope_store_ids': `{${stores.join(',')}}`,
  });
  const alsoSet = (identity: Identity, settings: Record<string, string>): Identity => ({
    ...identity,
    settings: { ...identity.settings, ...settings },
  });
  return [
    service('app_enroll', { ...tenant, 'app.store_id': store }, ['organization', 'store']),
    service('app_ingest', { ...tenant, 'app.store_id': store, 'app.gateway_id': gateway }, [
      'organization',
      'store',
      'gateway',
    ]),
    service('app_rollup', tenant, ['organization']),
    service('app_health', tenant, ['organization']),
    service('app_operator', tenant, ['organization']),
    service('app_retention', tenant, ['organization']),
    service('app_notify', tenant, ['organization']),
    ...Object.entries(world.users).map(([role, user]) =>
      person(
        role,
        user,
        { sub: user, organization_id: organization },
        all_stores.includes(role) ? ['organization', 'user'] : ['organization', 'store', 'user'],
      ),
    ),
    alsoSet(
      person('store_manager looked up before', store_manager.sub, store_manager, [
        'organization',
        'store',
        'user',
      ]),
      found(store_manager, [store]),
    ),
    // Those who may see nothing: each is one way to have an identity and yet none.
    person('nobody', undefined, {}, 'never'),
    person('stranger', world.stranger, stranger, ['organization', 'user']),
    alsoSet(
      person('stranger after a manager', world.stranger, stranger, ['organization', 'user']),
      found(store_manager, [store, world.other.store]),
    ),
    person('put away', world.inactive, { sub: world.inactive }, ['organization', 'user']),
    person('undecided', manager, { sub: manager }, ['organization', 'user']),
    // What the login stands for decides, and nothing that it says about itself.
    {
      ...service('app_bi', { ...tenant, ...found(store_manager, [world.other.store]) }, [
        'organization',
        'store',
      ]),
      login: world.bi_login,
    },
    { ...service('app_bi', tenant, 'never'), name: 'a BI tool without a login' },
    service('app_owner', tenant, 'never'),
    { ...service('cloud_sync', tenant, 'never'), name: 'the login alone' },
  ];
}

/** Statements that make a transaction this identity's. */
export function become({ role, login, settings }: Identity): string {
  const calls = Object.entries(settings).map(
    ([name, value]) => `set_config('${name}', '${value}', true)`,
  );
  const as = login === undefined ? '' : `set local session authorization ${login};`;
  return `${as} set local role ${role}; select ${calls.join(', ') || 1}`;
}

/** Members of nothing just now: they reach what names no organization, their own user, at most. */
const outside = ['stranger', 'stranger after a manager', 'put away', 'undecided'];

/** Where a role may reach further than its limits, by design. */
const wider: { role: string; relation: string; commands: Command[]; axis: Axis }[] = [
  // The operator finds organizations by slug and people by address before there is a tenant.
  ...(['public.organizations', 'app.users'] as const).map((relation) => ({
    role: 'app_operator',
    relation,
    commands: ['select', 'insert'] as Command[],
    axis: relation === 'app.users' ? ('user' as const) : ('organization' as const),
  })),
  // A gateway compares with what its predecessor in the store delivered,
  ...[
    'public.sensor_metadata',
    'public.people_counting_raw',
    'public.regional_counting_raw',
    'app.gateway_epochs',
    // with when it was last heard and what its ledger says,
    'app.gateway_state',
    'app.gateway_losses',
  ].map((relation) => ({
    role: 'app_ingest',
    relation,
    // and takes its sensors over.
    commands: (relation === 'public.sensor_metadata'
      ? ['select', 'update']
      : ['select']) as Command[],
    axis: 'gateway' as const,
  })),
];

/** Where somebody reaches less than others of their role. */
const narrower: { names: string[]; relations: string[]; commands?: Command[] }[] = [
  {
    names: ['store_staff', 'viewer'],
    relations: ['public.people_counting_raw', 'public.regional_counting_raw'],
  },
  {
    names: [
      'regional_manager',
      'store_manager',
      'store_manager looked up before',
      'analyst',
      'store_staff',
      'viewer',
    ],
    relations: ['public.audit_logs', 'public.notifications'],
  },
  {
    names: ['analyst', 'viewer'],
    relations: ['public.alert_acknowledgements'],
    commands: ['insert'],
  },
  {
    names: ['analyst', 'store_staff', 'viewer'],
    relations: ['public.alert_mutes'],
    commands: ['insert', 'delete'],
  },
];

/** On which axes a row must be one's own, for one command on one relation. */
export function limitsOf(
  identity: Identity,
  relation: { name: string; axes: Partial<Record<Axis, string>> },
  command: Command,
): readonly Axis[] | 'never' {
  if (identity.limits === 'never') return 'never';
  if (outside.includes(identity.name) && relation.axes.organization !== undefined) return 'never';
  const less = narrower.some(
    ({ names, relations, commands }) =>
      names.includes(identity.name) &&
      relations.includes(relation.name) &&
      (commands?.includes(command) ?? true),
  );
  if (less) return 'never';
  const more = wider.filter(
    (each) =>
      each.role === identity.role &&
      each.relation === relation.name &&
      each.commands.includes(command),
  );
  return identity.limits.filter((axis) => !more.some((each) => each.axis === axis));
}
