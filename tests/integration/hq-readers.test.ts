import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from '../../cloud-sync/db/pool.ts';
import { createApiKey, listApiKeys, revokeApiKey } from '../../cloud-sync/tenants/api-keys.ts';
import { addBiLogin, listBiLogins, revokeBiLogin } from '../../cloud-sync/tenants/bi-logins.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { ErrorBody } from '../../shared/wire/error-body.ts';
import type { Answer, Hq, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  noon,
  openHq,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

const manager = 'manager@example.org';
const boss = 'boss@example.org';

describeOnEngines('a reader that is no person', (engine) => {
  let hq: Hq;
  let mine: TestStore;
  let sibling: TestStore;
  let foreign: TestStore;

  beforeAll(async () => {
    hq = await openHq(engine);
    mine = await addTestStore(hq);
    sibling = await addTestStore(hq, { organization: mine.organization });
    foreign = await addTestStore(hq);
    for (const store of [mine, sibling, foreign]) {
      const gateway = await enrollTestGateway(hq, store);
      await gateway.send(batch(gateway, [count(1), count(2)]));
    }
    await addUser(hq.db, mine.organization, {
      email: manager,
      role: 'store_manager',
      stores: [mine.code],
    });
    await addUser(hq.db, mine.organization, { email: boss, role: 'analyst', stores: [] });
    await eventually(
      () => hq.asOwner('select from store_hourly'),
      (rows) => rows.length >= 3,
    );
  });
  afterAll(() => hq.close());

  const get = async <T = ErrorBody>(path: string, key?: string): Promise<Answer<T>> => {
    const headers: Record<string, string> =
      key === undefined ? {} : { authorization: `Bearer ${key}` };
    const response = await fetch(`${hq.url}/v1/reports/${path}`, { headers });
    return { status: response.status, body: (await response.json()) as T };
  };
  const makeKey = (as = manager) =>
    createApiKey(hq.db, mine.organization, {
      name: 'till',
      as,
      expires_at: undefined,
      now: new Date(),
    });
  const around = (day: number) => {
    const at = (ms: number) => encodeURIComponent(new Date(ms).toISOString());
    return `from=${at(day - 86_400_000)}&to=${at(day + 86_400_000)}`;
  };

  describe('with a key', () => {
    it('reads the stores and hours of the member that it stands for', async () => {
      const { key } = await makeKey();
      const { body } = await get<{ stores: { store: string }[] }>('stores', key);
      expect(body.stores.map(({ store }) => store)).toEqual([mine.code]);
      for (const path of ['hours', 'sensor-hours']) {
        const report = await get<{ hours: object[] }>(
          `${path}?store=${mine.code}&${around(noon)}`,
          key,
        );
        expect(report.status).toBe(200);
        expect(report.body.hours.length).toBeGreaterThan(0);
      }
      expect((await get(`days?store=${mine.code}`, key)).status).toBe(200);
      expect((await get('alerts?open=true', key)).status).toBe(200);
    });

    it('does not learn whether a store of others exists', async () => {
      const { key } = await makeKey();
      for (const code of [sibling.code, foreign.code, 'none']) {
        const { status, body } = await get(`hours?store=${code}&${around(noon)}`, key);
        expect([status, body.error.code]).toEqual([404, 'store_unknown']);
      }
    });

    it('is refused without one, and with one that nobody made', async () => {
      expect((await get('stores')).body.error.code).toBe('key_missing');
      expect((await get('stores', 'fbg_x')).body.error.code).toBe('key_missing');
      const { status, body } = await get('stores', `fbk_00000000_${'A'.repeat(43)}`);
      expect([status, body.error.code]).toEqual([401, 'key_refused']);
    });

    it('is refused from the request after its revocation on', async () => {
      const { key, key_id } = await makeKey();
      expect((await get('stores', key)).status).toBe(200);
      await revokeApiKey(hq.db, mine.organization, key_id);
      expect((await get('stores', key)).status).toBe(401);
    });

    it('is refused once it has expired', async () => {
      const { key, key_id } = await makeKey();
      await hq.asOwner('update app.api_keys set expires_at = now() where id = $1', [key_id]);
      expect((await get('stores', key)).body.error.code).toBe('key_refused');
    });

    it('is refused for what its scopes do not name', async () => {
      const { key, key_id } = await makeKey();
      await hq.asOwner(`update app.api_keys set scopes = '{raw:read}' where id = $1`, [key_id]);
      const { status, body } = await get('stores', key);
      expect([status, body.error.code]).toEqual([403, 'scope_missing']);
    });

    it('goes with the membership of the person', async () => {
      const email = 'leaver@example.org';
      const { user_id } = await addUser(hq.db, mine.organization, {
        email,
        role: 'analyst',
        stores: [],
      });
      const { key } = await makeKey(email);
      expect((await get('stores', key)).status).toBe(200);
      await hq.asOwner('delete from app.memberships where user_id = $1', [user_id]);
      expect((await get('stores', key)).status).toBe(401);
    });

    it('is told which parameter is wrong, and metacharacters are data', async () => {
      const { key } = await makeKey();
      const wrong = async (path: string) => {
        const { status, body } = await get(path, key);
        expect([status, body.error.code]).toEqual([400, 'query_invalid']);
        return body.error.detail;
      };
      expect(await wrong('hours')).toMatch(/^store:/);
      expect(await wrong('hours?store=x&from=2026-01-01T00:00:00&to=2026-01-02T00:00:00Z')).toMatch(
        /^from: use a time with its offset/,
      );
      expect(
        await wrong('hours?store=x&from=2020-01-01T00:00:00Z&to=2026-01-02T00:00:00Z'),
      ).toMatch(/^to: is more than 367 days/);
      expect(await wrong('days?store=a&store=b')).toMatch(/^store:/);
      expect(await wrong('days?store=a%00b')).toMatch(/^store: contains U\+0000/);
      const { status, body } = await get(`days?store=${encodeURIComponent(`' or 1=1 --`)}`, key);
      expect([status, body.error.code]).toEqual([404, 'store_unknown']);
    });

    it('is stored as a hash, and listed by its first characters', async () => {
      const { key, prefix } = await makeKey();
      const secret = key.slice(-43);
      const rows = await hq.asOwner<{ row: string }>(
        `select k::text as row from app.api_keys k union all select a::text from audit_logs a`,
      );
      expect(rows.filter(({ row }) => row.includes(secret))).toEqual([]);
      const keys = await listApiKeys(hq.db, mine.organization);
      expect(keys.find((one) => one.prefix === prefix)).toMatchObject({
        name: 'till',
        as: manager,
      });
    });
  });

  describe('with a database login of its own', () => {
    const add = (as: string) =>
      addBiLogin(hq.db, hq.owner_url, mine.organization, { name: 'Metabase', as });
    const urlOf = ({ login, password }: { login: string; password: string }) => {
      const url = new URL(hq.service_url);
      url.username = login;
      url.password = password;
      return url.href;
    };
    const forget = (login: string) => hq.asOwner(`drop owned by ${login}; drop role ${login}`);
    const views = ['report_stores', 'report_hours', 'report_days', 'report_sensor_hours'];

    it('sees the stores of the member that it stands for, whatever it says about itself', async () => {
      const made = await add(manager);
      await withClient(urlOf(made), async (client) => {
        await client.query(
          `select set_config('request.jwt.claims', $1, false), set_config('app.organization_id', $2, false)`,
          [JSON.stringify({ organization_id: foreign.organization.id }), foreign.organization.id],
        );
        for (const view of views) {
          const { rows } = await client.query(`select distinct store from ${view}`);
          expect([view, rows]).toEqual([view, [{ store: mine.code }]]);
        }
      });
      await forget(made.login);
    });

    it('sees every store of the organization when it stands for an analyst', async () => {
      const made = await add(boss);
      await withClient(urlOf(made), async (client) => {
        const { rows } = await client.query('select store from report_stores order by 1');
        expect(rows.map(({ store }) => store)).toEqual([mine.code, sibling.code].sort());
      });
      await forget(made.login);
    });

    it('cannot write at all', async () => {
      const made = await add(boss);
      await withClient(urlOf(made), async (client) => {
        await client.query('set default_transaction_read_only = off');
        for (const attempt of [
          'insert into stores select * from stores',
          'update store_hourly set footfall = 0',
          'update report_hours set footfall = 0',
          'delete from alerts',
          'truncate hourly_analytics',
          'copy stores from stdin',
          'create table public.mine (n int)',
          'create temporary table mine (n int)',
          'create schema mine',
          'create view mine as select 1',
          'select lo_create(0)',
          `select lo_from_bytea(0, 'x')`,
          'select * from people_counting_raw',
          'select * from app.memberships',
          'select app.ensure_partitions(0, 0)',
          'select public.pre_request()',
          'set role cloud_sync',
          'set role app_owner',
          'set role authenticated',
          'set session authorization postgres',
          `copy (select 1) to program 'true'`,
          `copy (select 1) to '/tmp/footbridge-bi'`,
        ]) {
          const said = await client.query(attempt).then(
            () => 'done',
            (error: { code?: string }) => error.code,
          );
          // 42501: no right; 55000: a view that takes no writes.
          expect([attempt, said]).toEqual([attempt, expect.stringMatching(/^(42501|55000)$/)]);
        }
      });
      await forget(made.login);
    });

    it('is read-only before it tries', async () => {
      const made = await add(boss);
      await withClient(urlOf(made), async (client) => {
        const { rows } = await client.query('show transaction_read_only');
        expect(rows).toEqual([{ transaction_read_only: 'on' }]);
      });
      await forget(made.login);
    });

    it('sees nothing from the statement after its revocation on, and is put out', async () => {
      const made = await add(boss);
      await withClient(urlOf(made), async (client) => {
        await hq.asOwner('update app.bi_logins set revoked_at = now() where login = $1', [
          made.login,
        ]);
        expect((await client.query('select from report_stores')).rowCount).toBe(0);
        await revokeBiLogin(hq.db, hq.owner_url, mine.organization, made.login);
        await expect(client.query('select 1')).rejects.toThrow();
      });
      await expect(
        withClient(urlOf(made), (client) => client.query('select 1')),
      ).rejects.toMatchObject({ detail: expect.stringMatching(/not permitted to log in/) });
      const [listed] = (await listBiLogins(hq.db, mine.organization)).filter(
        ({ login }) => login === made.login,
      );
      expect(listed?.revoked_at).toBeInstanceOf(Date);
      await forget(made.login);
    });
  });
});
