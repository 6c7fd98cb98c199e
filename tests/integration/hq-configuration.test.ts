import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createApiKey } from '../../cloud-sync/tenants/api-keys.ts';
import { addRegion } from '../../cloud-sync/tenants/regions.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore, inviteTo } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

describeOnEngines('the configuration of an organization', (engine) => {
  let hq: TestDatabase;
  let north: TestStore;
  let south: TestStore;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    north = await addTestStore(hq);
    south = await addTestStore(hq, { organization: north.organization });
    await addRegion(hq.db, north.organization, {
      code: 'north',
      name: 'North',
      stores: [north.code],
    });
  });
  afterAll(() => hq.close());

  const asOperator = <T extends object>(text: string, values: unknown[] = []) =>
    hq.db.inTenant({ organization_id: north.organization.id }, 'app_operator', ({ query }) =>
      query<T>(text, values),
    );
  const trail = (relation: string) =>
    hq.asOwner<{ action: string; actor: string; source: string; before: object; after: object }>(
      `select action, actor, source, before, after from audit_logs
       where organization_id = $1 and relation = $2 order by id`,
      [north.organization.id, relation],
    );

  it('shows a regional manager the stores of their regions, as the region changes', async () => {
    const { user_id } = await addUser(hq.db, north.organization, {
      email: `${randomUUID()}@example.org`,
      role: 'regional_manager',
      stores: [],
      regions: ['north'],
    });
    const seen = () =>
      hq.db.inTenant({ claims: { sub: user_id } }, 'authenticated', ({ query }) =>
        query<{ code: string }>('select code from stores order by code'),
      );
    expect(await seen()).toEqual([{ code: north.code }]);
    await addRegion(hq.db, north.organization, {
      code: 'north',
      name: 'North and south',
      stores: [south.code],
    });
    expect(await seen()).toEqual(
      [{ code: north.code }, { code: south.code }].sort((a, b) => (a.code < b.code ? -1 : 1)),
    );
  });

  it('keeps a trail of each change: before, after, who and by which program', async () => {
    await asOperator("update stores set name = 'Renamed' where code = $1", [north.code]);
    const changes = await trail('public.stores');
    expect(changes.at(-1)).toMatchObject({
      action: 'update',
      actor: 'cloud_sync',
      source: 'app_operator in test',
      before: { code: north.code, name: 'Store' },
      after: { code: north.code, name: 'Renamed' },
    });
  });

  it('writes no trail of an update that changed nothing', async () => {
    const before = await trail('public.stores');
    await asOperator('update stores set name = name, updated_at = now()');
    expect(await trail('public.stores')).toEqual(before);
  });

  it('keeps secrets out of the trail', async () => {
    const as = `${randomUUID()}@example.org`;
    await addUser(hq.db, north.organization, { email: as, role: 'analyst', stores: [] });
    const now = new Date();
    await createApiKey(hq.db, north.organization, { name: 'bi', as, expires_at: undefined, now });
    const [made] = await trail('app.api_keys');
    expect(Object.keys(made?.after ?? {})).toContain('prefix');
    expect(Object.keys(made?.after ?? {})).not.toContain('key_hash');
  });

  it('says who was invited, without the token', async () => {
    const token = await inviteTo(hq, north);
    const [invited] = await trail('app.enroll_tokens');
    expect(invited).toMatchObject({ action: 'insert', after: { store_id: north.store_id } });
    expect(Object.keys(invited?.after ?? {})).not.toContain('token_hash');
    expect(JSON.stringify(invited)).not.toContain(token.slice(4));
  });

  it('says to each organization of a person that they were put away, and not that they logged in', async () => {
    const email = `${randomUUID()}@example.org`;
    const elsewhere = await addTestStore(hq);
    for (const { organization } of [north, elsewhere]) {
      await addUser(hq.db, organization, { email, role: 'analyst', stores: [] });
    }
    await hq.asOwner('update app.users set last_login_at = now() where email = $1', [email]);
    await hq.asOwner('update app.users set is_active = false where email = $1', [email]);
    const entries = await hq.asOwner(
      `select organization_id, before -> 'is_active' as before, after -> 'is_active' as after
       from audit_logs where relation = 'app.users' and after ->> 'email' = $1 order by id`,
      [email],
    );
    expect(entries).toHaveLength(2);
    for (const { organization } of [north, elsewhere]) {
      const entry = { organization_id: organization.id, before: true, after: false };
      expect(entries).toContainEqual(entry);
    }
  });

  it('lets nobody rewrite the trail, not even the owner of the table', async () => {
    for (const text of [
      'update audit_logs set actor = $1',
      'delete from audit_logs where $1 = $1',
    ]) {
      await expect(asOperator(text, ['me'])).rejects.toThrow(/permission denied/);
    }
    const before = await trail('public.stores');
    await hq.asOwner('set role app_owner; delete from audit_logs');
    expect(await trail('public.stores')).toEqual(before);
  });

  it.each([
    [
      'two corners',
      [
        [0, 0],
        [1, 1],
      ],
    ],
    [
      'a corner of three numbers',
      [
        [0, 0],
        [1, 1],
        [1, 0, 5],
      ],
    ],
    [
      'a corner of text',
      [
        [0, 0],
        [1, 1],
        ['1', 0],
      ],
    ],
    ['a number', 5],
    ['an object', { x: 1 }],
    ['a thousand and one corners', Array.from({ length: 1001 }, (_, i) => [i, i])],
  ])('refuses a polygon of %s by name', async (_, polygon) => {
    await expect(addZone(polygon)).rejects.toMatchObject({ constraint: 'valid_polygon' });
  });
  it('takes a triangle, and quotes and semicolons in a name as what they are', async () => {
    await addZone(
      [
        [0, 0],
        [1.5, 1],
        [1, 0],
      ],
      `Shelf '; drop table stores; --`,
    );
    const rows = await asOperator<{ name: string }>('select name from region_configurations');
    expect(rows).toEqual([{ name: `Shelf '; drop table stores; --` }]);
  });

  async function addZone(polygon: unknown, name = 'Shelf') {
    await hq.asOwner(
      `insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
       values ($1, $2, 'ceiling', 'zone') on conflict do nothing`,
      [north.organization.id, north.store_id],
    );
    return asOperator(
      `insert into region_configurations
         (organization_id, store_id, sensor_id, region_id, name, polygon)
       values ($1, $2, 'ceiling', $3, $4, $5)`,
      [north.organization.id, north.store_id, randomUUID(), name, JSON.stringify(polygon)],
    );
  }
});
