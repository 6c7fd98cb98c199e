import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role, Scope } from '../../cloud-sync/db/pool.ts';
import { assertMayServe, loginOf } from '../../cloud-sync/db/server.ts';
import { hoursOf } from '../../cloud-sync/reports/hours.ts';
import { addOrganization } from '../../cloud-sync/tenants/organizations.ts';
import type { UserRole } from '../../cloud-sync/tenants/users.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  openHq,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

describeOnEngines('the tenant wall', (engine) => {
  let hq: Hq;
  let mine: TestStore;
  let sibling: TestStore;
  let foreign: TestStore;
  let gateway: TestGateway;

  beforeAll(async () => {
    hq = await openHq(engine);
    mine = await addTestStore(hq);
    sibling = await addTestStore(hq, { organization: mine.organization });
    foreign = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, mine);
    for (const store of [mine, sibling, foreign]) {
      const sender = store === mine ? gateway : await enrollTestGateway(hq, store);
      await sender.send(batch(sender, [count(1), count(2)]));
    }
    await eventually(
      () => hq.asOwner('select from hourly_analytics'),
      (rows) => rows.length === 3,
    );
  });
  afterAll(() => hq.close());

  const as = <T extends object>(role: Role, scope: Scope, text: string, values?: unknown[]) =>
    hq.db.inTenant(scope, role, ({ query }) => query<T>(text, values));

  describe('around a gateway', () => {
    const scope = (): Scope => ({
      organization_id: mine.organization.id,
      store_id: mine.store_id,
      gateway_id: gateway.gateway_id,
    });
    const insert = (changes: {
      organization_id?: string;
      store_id?: string;
      gateway_id?: string;
    }) => {
      const row = { ...scope(), ...changes };
      return as(
        'app_ingest',
        scope(),
        `insert into people_counting_raw (organization_id, store_id, gateway_id, "timestamp",
           sensor_id, interval_s, gateway_sequence, received_at)
         values ($1, $2, $3, now(), 'x', 60, 1, now())`,
        [row.organization_id, row.store_id, row.gateway_id],
      );
    };
    const refused = /violates row-level security/;

    it('lets it write for its own store', async () => {
      await expect(insert({})).resolves.toEqual([]);
    });
    it('refuses rows for another store of its organization', async () => {
      await expect(insert({ store_id: sibling.store_id })).rejects.toThrow(refused);
    });
    it('refuses rows for another organization', async () => {
      const changes = { organization_id: foreign.organization.id, store_id: foreign.store_id };
      await expect(insert(changes)).rejects.toThrow(refused);
    });
    it('refuses rows in the name of another gateway', async () => {
      await expect(insert({ gateway_id: randomUUID() })).rejects.toThrow(refused);
    });
    it('shows it nothing of other stores', async () => {
      for (const table of ['people_counting_raw', 'sensor_metadata', 'stores', 'app.gateways']) {
        const column = table === 'stores' ? 'id' : 'store_id';
        const rows = await as<{ id: string }>(
          'app_ingest',
          scope(),
          `select distinct ${column} as id from ${table}`,
        );
        expect([table, rows]).toEqual([table, [{ id: mine.store_id }]]);
      }
    });
    it('lets it neither change nor delete what it delivered', async () => {
      for (const text of [
        'update people_counting_raw set in_count = 0',
        'delete from people_counting_raw',
        'truncate people_counting_raw',
        'delete from app.ingest_batches',
      ]) {
        await expect(as('app_ingest', scope(), text)).rejects.toThrow(/permission denied/);
      }
    });
    it('shows and takes nothing without an identity', async () => {
      const rows = await as('app_ingest', {}, 'select from people_counting_raw');
      expect(rows).toEqual([]);
    });
  });

  describe('around a person', () => {
    const person = async (role: UserRole, stores: TestStore[] = []) => {
      const member = await addUser(hq.db, mine.organization, {
        email: `${randomUUID()}@example.org`,
        role,
        stores: stores.map(({ code }) => code),
      });
      return { claims: { sub: member.user_id, organization_id: mine.organization.id } };
    };
    const storesSeen = async (scope: Scope, table = 'hourly_analytics') => {
      const rows = await as<{ store_id: string }>(
        'authenticated',
        scope,
        `select distinct store_id from ${table}`,
      );
      return rows.map(({ store_id }) => store_id).sort();
    };

    it.each([
      ['tenant_admin', 'both'],
      ['analyst', 'both'],
      ['regional_manager', 'assigned'],
      ['store_manager', 'assigned'],
      ['store_staff', 'assigned'],
      ['viewer', 'assigned'],
    ] as const)('shows a %s the hours of %s stores of the organization', async (role, which) => {
      const seen = await storesSeen(await person(role, [mine]));
      const both = [mine.store_id, sibling.store_id].sort();
      expect(seen).toEqual(which === 'both' ? both : [mine.store_id]);
    });

    it('shows raw readings to those who work with them, and to nobody else', async () => {
      const seen: Record<string, number> = {};
      for (const role of ['store_manager', 'store_staff', 'viewer'] as const) {
        const scope = await person(role, [mine]);
        seen[role] = (await storesSeen(scope, 'people_counting_raw')).length;
      }
      expect(seen).toEqual({ store_manager: 1, store_staff: 0, viewer: 0 });
    });

    it('holds in views too', async () => {
      const scope = await person('store_manager', [mine]);
      expect(await storesSeen(scope, 'latest_sensor_data')).toEqual([mine.store_id]);
      const profiles = await as(
        'authenticated',
        scope,
        'select id, assigned_stores from user_profiles',
      );
      expect(profiles).toEqual([{ id: scope.claims.sub, assigned_stores: [mine.store_id] }]);
    });

    it('shows nothing to somebody who claims an organization they are not in', async () => {
      const { claims } = await person('tenant_admin');
      const scope = { claims: { ...claims, organization_id: foreign.organization.id } };
      expect(await storesSeen(scope)).toEqual([]);
    });

    it('takes the only organization of somebody whose claims name none, and none of two', async () => {
      const email = `${randomUUID()}@example.org`;
      const wanted = { email, role: 'tenant_admin', stores: [] };
      const { user_id } = await addUser(hq.db, mine.organization, wanted);
      const scope = { claims: { sub: user_id } };
      expect(await storesSeen(scope)).toHaveLength(2);
      await addUser(hq.db, foreign.organization, wanted);
      expect(await storesSeen(scope)).toEqual([]);
    });

    it('shows nothing once the person or the organization is put away', async () => {
      const gone = await addOrganization(hq.db, { slug: randomUUID(), name: 'Gone' });
      const wanted = { email: `${randomUUID()}@example.org`, role: 'analyst', stores: [] };
      const { user_id } = await addUser(hq.db, gone, wanted);
      const scope = { claims: { sub: user_id } };
      const organizations = () => as('authenticated', scope, 'select from organizations');
      expect(await organizations()).toHaveLength(1);
      await hq.asOwner('update app.users set is_active = false where id = $1', [user_id]);
      expect(await organizations()).toHaveLength(0);
    });

    it('lets nobody write where no policy is for it, whatever their role', async () => {
      const scope = await person('tenant_admin');
      const tables = await hq.asOwner<{ name: string }>(
        `select c.oid::regclass::text as name from pg_class c
         join pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ('public', 'app', 'parts') and c.relkind in ('r', 'p', 'v')
           and not exists (select from pg_policy where polrelid = c.oid and polcmd <> 'r'
             and 'authenticated'::regrole = any (polroles))`,
      );
      expect(tables.length).toBeGreaterThan(25);
      for (const { name } of tables) {
        for (const text of [
          `insert into ${name} default values`,
          `delete from ${name}`,
          `truncate ${name}`,
        ]) {
          await expect(as('authenticated', scope, text), text).rejects.toThrow(
            /permission denied|cannot (insert|delete|truncate)|is not a table/,
          );
        }
      }
      const promote = `update app.memberships set role = 'tenant_admin'`;
      await expect(as('authenticated', scope, promote)).rejects.toThrow(/permission denied/);
    });

    it('has no way into a partition by its name', async () => {
      const [part] = await hq.asOwner<{ name: string }>(
        `select c.oid::regclass::text as name from pg_class c
         where relnamespace = 'parts'::regnamespace and relkind = 'r' limit 1`,
      );
      const scope = await person('tenant_admin');
      const read = as('authenticated', scope, `select from ${part?.name}`);
      await expect(read).rejects.toThrow(/permission denied/);
    });

    it('reports a store that one may not see as one that does not exist', async () => {
      const { claims } = await person('store_manager', [mine]);
      const asking = { user_id: claims.sub, organization_id: mine.organization.id };
      expect((await hoursOf(hq.db, asking, mine.code, {})).hours).toMatchObject([
        { sensor_id: 'front-door', total_in: 6, total_out: 2, readings: 2 },
      ]);
      await expect(hoursOf(hq.db, asking, sibling.code, {})).rejects.toMatchObject({
        code: 'store_unknown',
      });
    });
  });

  describe('around the service', () => {
    it('does not leave an identity on a pooled connection', async () => {
      for (let i = 0; i < 30; i++) {
        await as('app_rollup', { organization_id: mine.organization.id }, 'select 1');
        const rows = await as('app_rollup', {}, 'select from people_counting_raw');
        expect(rows).toEqual([]);
      }
    });
    it('shows the rollup worker one organization at a time', async () => {
      const scope = { organization_id: mine.organization.id };
      const rows = await as<{ organization_id: string }>(
        'app_rollup',
        scope,
        'select distinct organization_id from people_counting_raw',
      );
      expect(rows).toEqual([{ organization_id: mine.organization.id }]);
    });
    it('gives the login alone nothing', async () => {
      const { runOnce } = await import('../../cloud-sync/db/pool.ts');
      const read = runOnce(hq.service_url, (query) => query('select from people_counting_raw'));
      await expect(read).rejects.toThrow(/permission denied/);
    });
    it('refuses to serve as a login that could step around the wall', async () => {
      expect(() => assertMayServe({ ...login, superuser: true })).toThrow();
      const owner = await loginOf(hq.owner_url);
      expect(() => assertMayServe(owner)).toThrow(
        expect.objectContaining({ code: 'config_invalid' }),
      );
      expect(() => assertMayServe(login)).not.toThrow();
    });
    let login: Awaited<ReturnType<typeof loginOf>>;
    beforeAll(async () => {
      login = await loginOf(hq.service_url);
    });
  });
});
