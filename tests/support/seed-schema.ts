/**
 * The retail schema that Footbridge replaces, with two organizations in it, beside a database of
 * ours with two others: to run the same thing on both.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Query, runOnce } from '../../cloud-sync/db/pool.ts';
import { addUser, roles, type UserRole } from '../../cloud-sync/tenants/users.ts';
import { addTestStore, type TestStore } from './hq.ts';
import { type Engine, openTestDatabase, packageRoot, type TestDatabase } from './postgres.ts';

/** Ids of the two organizations before; their stores have the same. */
export const a = 'aaaaaaaa-0000-4000-8000-000000000000';
export const b = 'bbbbbbbb-0000-4000-8000-000000000000';
/** A person of A who may only look. */
export const viewer = 'aaaaaaaa-0000-4000-8000-000000000001';

const content = `
  grant usage on schema auth, public to authenticated;
  grant all on all tables in schema public to authenticated;
  insert into organizations (id, name, slug) values ('${a}', 'A', 'a'), ('${b}', 'B', 'b');
  insert into stores (id, organization_id, name) values ('${a}', '${a}', 'A'), ('${b}', '${b}', 'B');
  insert into auth.users values ('${viewer}');
  insert into user_profiles (id, organization_id, email) values ('${viewer}', '${a}', 'v@a');
  insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
    values ('${a}', '${a}', 'door-1', 'line'), ('${b}', '${b}', 'door-1', 'line');
  refresh materialized view latest_sensor_data`;

export interface BeforeAndNow {
  readonly hq: TestDatabase;
  readonly mine: TestStore;
  readonly foreign: TestStore;
  /** As the viewer of A in the schema before, taken back afterwards. */
  before<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** As owner of the schema before, taken back afterwards. */
  asOwnerBefore<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** As a person of `mine` with this role, in ours. */
  now<T extends object>(role: UserRole, text: string, values?: unknown[]): Promise<T[]>;
  close(): Promise<void>;
}

export async function openBeforeAndNow(engine: Engine): Promise<BeforeAndNow> {
  // First, because it brings the role `authenticated` to the server.
  const hq = await openTestDatabase(engine);
  const seed = await openTestDatabase(engine, { migrated: false });
  const file = path.join(packageRoot, 'tests/cases/seed-schema/retail.sql');
  await seed.asOwner(readFileSync(file, 'utf8'));
  await seed.asOwner(content);
  const mine = await addTestStore(hq);
  const foreign = await addTestStore(hq);
  await hq.asOwner('select app.ensure_partitions(0, 0)');
  const people: Partial<Record<UserRole, string>> = {};
  for (const role of roles) {
    const wanted = { email: `${role}@example.org`, role, stores: [mine.code] };
    people[role] = (await addUser(hq.db, mine.organization, wanted)).user_id;
  }
  const begun =
    (start: string): BeforeAndNow['before'] =>
    (work) =>
      runOnce(seed.owner_url, async (query) => {
        await query(start);
        return work(query);
      });
  return {
    hq,
    mine,
    foreign,
    before: begun(`begin; set local role authenticated;
      select set_config('request.jwt.claims', '{"sub":"${viewer}"}', true)`),
    asOwnerBefore: begun('begin'),
    now: (role, text, values = []) =>
      hq.db.inTenant(
        { claims: { sub: people[role] ?? '', organization_id: mine.organization.id } },
        'authenticated',
        ({ query }) => query(text, values),
      ),
    async close() {
      await seed.close();
      await hq.close();
    },
  };
}
