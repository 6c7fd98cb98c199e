import { execFile } from 'node:child_process';
import { createHmac, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { acknowledgeAlert } from '../../cloud-sync/health/answer-alerts.ts';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { Metrics } from '../../cloud-sync/metrics.ts';
import type { Delivery } from '../../cloud-sync/notify/deliver.ts';
import { deliverWaiting } from '../../cloud-sync/notify/deliver.ts';
import { openMailer } from '../../cloud-sync/notify/email.ts';
import { makeNotifications } from '../../cloud-sync/notify/planning.ts';
import type { WantedRoute } from '../../cloud-sync/notify/routes.ts';
import { addRoute, listNotifications } from '../../cloud-sync/notify/routes.ts';
import { testRoutes } from '../../cloud-sync/notify/test-routes.ts';
import { alertsOf } from '../../cloud-sync/reports/alerts.ts';
import type { Organization } from '../../cloud-sync/tenants/organizations.ts';
import { addOrganization } from '../../cloud-sync/tenants/organizations.ts';
import type { UserRole } from '../../cloud-sync/tenants/users.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { MailServer } from '../support/mail-server.ts';
import { header, openMailServer } from '../support/mail-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase, packageRoot } from '../support/postgres.ts';

const s = 1000;
const minute = 60 * s;
const hour = 60 * minute;
const start = Date.UTC(2026, 2, 3, 12);

describeOnEngines('people are told of alerts', (engine) => {
  let hq: TestDatabase;
  let smtp: MailServer;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    smtp = await openMailServer();
  });
  afterAll(async () => {
    await smtp.close();
    await hq.close();
  });

  let organization: Organization;
  let now: number;
  let delivery: Delivery;
  beforeEach(async () => {
    organization = await addOrganization(hq.db, { slug: `o-${randomUUID()}`, name: 'Acme' });
    now = start;
    smtp.received.length = 0;
    delivery = {
      db: hq.db,
      mailer: openMailer({ url: smtp.url, from: 'Footbridge <alerts@hq.example>' }),
      metrics: new Metrics(),
      clock: { ...systemClock, now: () => now, random: () => 1 },
      log: silentLog,
    };
  });

  /** Every minute for so long: gateways that are up speak, the watch looks, people are told. */
  const watch = async (
    minutes: number,
    gateways: readonly { beat: (at: number) => Promise<unknown>; up: boolean }[],
  ) => {
    for (let i = 0; i <= minutes; i += 1) {
      for (const gateway of gateways) if (gateway.up) await gateway.beat(now);
      await evaluateAlerts(hq.db, {
        organization_id: organization.id,
        now,
        watching_since: 0,
        heartbeat_grace_s: 180,
        thorough: i === 0,
      });
      await makeNotifications(hq.db, organization.id, now);
      await deliverWaiting(delivery, organization.id);
      now += minute;
    }
  };
  const person = (role: UserRole, email: string, stores: readonly TestStore[]) =>
    addUser(hq.db, organization, { email, role, stores: stores.map(({ code }) => code) });
  const route = (changes: Partial<WantedRoute>) =>
    addRoute(hq.db, organization, {
      kind: 'email',
      role: null,
      url: null,
      severity_min: 'warning',
      quiet_from: null,
      quiet_until: null,
      timezone: 'UTC',
      ...changes,
    });
  const subjects = (to?: string) =>
    smtp.received
      .filter((one) => to === undefined || one.to === to)
      .map((one) => header(one, 'Subject'));

  /** A gateway with so many sensors; `deaf_since`: what is between them and it is down since then. */
  const addGateway = async (store: TestStore, sensors = 0) => {
    const [row] = await hq.asOwner<{ gateway_id: string; credential_id: string }>(
      `with g as (insert into app.gateways (organization_id, store_id, name, version, enrolled_at)
         values ($1, $2, 'pc', '1', to_timestamp($3::float8 / 1000)) returning id)
       insert into app.gateway_credentials (organization_id, gateway_id, secret_hash)
       select $1, id, sha256('x') from g returning id as credential_id, gateway_id`,
      [organization.id, store.store_id, start],
    );
    if (row === undefined) throw new Error('no gateway');
    const identity = { organization_id: organization.id, store_id: store.store_id, ...row };
    const gateway = {
      up: true,
      deaf_since: null as number | null,
      beat: (at: number) =>
        storeHeartbeat(
          hq.db,
          identity,
          {
            version: '1',
            epoch: '018f0000-0000-7000-8000-000000000000',
            sent_at: at,
            buffered: 0,
            oldest_unsent_at: null,
            delivered_at: at,
            durability: 'fsync',
            sensors: Array.from({ length: sensors }, (_, i) => ({
              sensor_id: `door-${i}`,
              name: '',
              profile: 'p',
              kind: 'line' as const,
              // Each spoke last at its own moment.
              last_seen_at: gateway.deaf_since === null ? at : gateway.deaf_since - i * s,
              silent_after_s: 300,
            })),
            sources: [],
            quarantined: [],
          },
          at,
        ),
    };
    return gateway;
  };

  it('once of a router that is down with forty sensors behind it, and once that it is back', async () => {
    const store = await addTestStore(hq, { organization });
    await person('store_manager', 'mar@acme.example', [store]);
    await route({ role: 'store_manager' });
    const gateway = await addGateway(store, 40);
    await watch(2, [gateway]);
    gateway.up = false;
    await watch(15, [gateway]);
    expect(subjects()).toEqual(['[critical] Gateway pc is offline, Store']);
    gateway.up = true;
    await watch(10, [gateway]);
    expect(subjects()).toEqual([
      '[critical] Gateway pc is offline, Store',
      '[resolved] Gateway pc is offline, Store',
    ]);
  });

  it('once of a router between the gateway and its forty sensors', async () => {
    const store = await addTestStore(hq, { organization });
    await person('store_manager', 'mar@acme.example', [store]);
    await route({ role: 'store_manager' });
    const gateway = await addGateway(store, 40);
    await watch(2, [gateway]);
    gateway.deaf_since = now;
    await watch(15, [gateway]);
    expect(subjects()).toEqual(['[warning] 40 alerts in Store: sensor silent']);
  });

  it('once of a fault that many stores share, and what to look for', async () => {
    const stores = await Promise.all(
      Array.from({ length: 5 }, () => addTestStore(hq, { organization })),
    );
    await person('tenant_admin', 'hq@acme.example', []);
    await person('store_manager', 'one@acme.example', stores.slice(0, 1));
    await route({ role: 'tenant_admin' });
    await route({ role: 'store_manager' });
    const gateways = await Promise.all(stores.map((store) => addGateway(store)));
    // Heartbeats of different gateways come at different moments of the minute.
    for (const gateway of gateways) {
      gateway.up = false;
      await gateway.beat(now);
      now += 11 * s;
    }
    await watch(10, gateways);
    expect(subjects('hq@acme.example')).toEqual([
      '[critical] 5 alerts in 5 stores: gateway offline',
    ]);
    expect(smtp.received.find(({ to }) => to === 'hq@acme.example')?.raw).toContain(
      '5 stores lost their line together',
    );
    expect(subjects('one@acme.example')).toEqual(['[critical] Gateway pc is offline, Store']);
  });

  it('only about the stores that they may see', async () => {
    const [seen, hidden] = [
      await addTestStore(hq, { organization }),
      await addTestStore(hq, { organization }),
    ];
    await person('store_staff', 'staff@acme.example', [hidden]);
    await person('analyst', 'all@acme.example', []);
    await route({ role: 'store_staff' });
    await route({ role: 'analyst' });
    const gateway = await addGateway(seen);
    gateway.up = false;
    await watch(8, [gateway]);
    expect(smtp.received.map(({ to }) => to)).toEqual(['all@acme.example']);
  });

  it('after quiet hours of what is no more than a warning', async () => {
    const store = await addTestStore(hq, { organization });
    await person('store_manager', 'mar@acme.example', [store]);
    await route({
      role: 'store_manager',
      quiet_from: '13:00',
      quiet_until: '13:20',
      timezone: 'Europe/Madrid',
    });
    const gateway = await addGateway(store, 3);
    gateway.deaf_since = now - 5 * minute;
    await watch(19, [gateway]);
    expect(subjects()).toEqual([]);
    await watch(3, [gateway]);
    expect(subjects()).toEqual(['[warning] 3 alerts in Store: sensor silent']);
  });

  it('again after a day, unless somebody has taken it on', async () => {
    const store = await addTestStore(hq, { organization });
    const { user_id } = await person('store_manager', 'mar@acme.example', [store]);
    await route({ role: 'store_manager' });
    const gateway = await addGateway(store);
    gateway.up = false;
    await watch(8, [gateway]);
    now += 24 * hour;
    await watch(1, [gateway]);
    expect(subjects()).toHaveLength(2);
    const mar = { user_id, organization_id: organization.id };
    const [alert] = await alertsOf(hq.db, mar, true);
    await acknowledgeAlert(hq.db, mar, { id: alert?.id ?? '', note: '' });
    now += 24 * hour;
    await watch(1, [gateway]);
    expect(subjects()).toHaveLength(2);
  });

  describe('by e-mail', () => {
    const oneAlert = async () => {
      const store = await addTestStore(hq, { organization });
      await person('store_manager', 'mar@acme.example', [store]);
      await route({ role: 'store_manager' });
      const gateway = await addGateway(store);
      gateway.up = false;
      now += 4 * minute;
      return watch.bind(null, 2, [gateway]);
    };
    const made = async () => {
      const [one] = await listNotifications(hq.db, organization);
      return one;
    };

    it('that a server puts off: tried again, later each time, and noted', async () => {
      const go = await oneAlert();
      smtp.refuseNext(451);
      await go();
      expect(await made()).toMatchObject({
        state: 'waiting',
        attempts: 1,
        detail: expect.stringContaining('451'),
      });
      await go();
      expect(await made()).toMatchObject({ state: 'sent', attempts: 2, detail: null });
      expect(smtp.received).toHaveLength(1);
      expect(header(smtp.received[0], 'Auto-Submitted')).toBe('auto-generated');
      expect(header(smtp.received[0], 'Message-ID')).toMatch(/^<[0-9a-f-]{36}@hq\.example>$/);
    });

    it('that a server refuses for good: not tried again', async () => {
      const go = await oneAlert();
      smtp.refuseNext(550);
      await go();
      await go();
      expect(await made()).toMatchObject({
        state: 'failed',
        attempts: 1,
        detail: expect.stringContaining('550'),
      });
    });

    it('without a mail server: waiting, with the reason', async () => {
      const go = await oneAlert();
      delivery = { ...delivery, mailer: null };
      await go();
      expect(await made()).toMatchObject({
        state: 'waiting',
        detail: expect.stringContaining('No mail server'),
      });
    });
  });

  describe('by webhook', () => {
    it('that says who sent it, tried again under the same id, given up when the receiver is gone', async () => {
      const posts: { headers: Record<string, unknown>; body: string }[] = [];
      const answers = [503, 200, 410];
      const server = createServer((request, response) => {
        const chunks: Buffer[] = [];
        request.on('data', (chunk: Buffer) => chunks.push(chunk));
        request.on('end', () => {
          posts.push({ headers: request.headers, body: Buffer.concat(chunks).toString() });
          response.writeHead(answers[posts.length - 1] ?? 200).end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
        const { secret } = await route({ kind: 'webhook', url });
        const gateway = await addGateway(await addTestStore(hq, { organization }));
        gateway.up = false;
        await watch(8, [gateway]);
        expect(posts).toHaveLength(2);
        const [first, second] = posts;
        expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
        expect(second?.body).toBe(first?.body);
        // As a receiver checks it: https://www.standardwebhooks.com
        const key = Buffer.from((secret ?? '').replace('whsec_', ''), 'base64');
        const { 'webhook-id': id, 'webhook-timestamp': at } = second?.headers ?? {};
        const mac = createHmac('sha256', key).update(`${id}.${at}.${second?.body}`);
        expect(second?.headers['webhook-signature']).toBe(`v1,${mac.digest('base64')}`);
        expect(JSON.parse(second?.body ?? '')).toMatchObject({
          type: 'alerts',
          data: {
            organization_id: organization.id,
            alerts: [{ alert_type: 'gateway_offline', state: 'firing', severity: 'critical' }],
          },
        });
        gateway.up = true;
        await watch(10, [gateway]);
        expect(posts).toHaveLength(3);
        expect(await listNotifications(hq.db, organization)).toMatchObject([
          { state: 'failed', attempts: 1, detail: expect.stringContaining('410') },
          { state: 'sent', attempts: 2 },
        ]);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });

  it('and a test goes the same way to each of them', async () => {
    const store = await addTestStore(hq, { organization });
    await person('store_manager', 'mar@acme.example', [store]);
    await person('store_manager', 'lea@acme.example', [store]);
    await route({ role: 'store_manager' });
    await route({ kind: 'log' });
    expect(await testRoutes(delivery, organization.id)).toMatchObject([
      { kind: 'email', recipient: 'lea@acme.example', state: 'sent' },
      { kind: 'email', recipient: 'mar@acme.example', state: 'sent' },
      { kind: 'log', state: 'sent' },
    ]);
    expect(subjects()).toEqual(['Test of Footbridge', 'Test of Footbridge']);
  });

  describe('by footbridge-hq notify', () => {
    const command = path.join(packageRoot, 'dist/cloud-sync/cli/footbridge-hq.js');
    const run = (args: string[], environment: Record<string, string> = {}) =>
      new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
        const env = {
          ...process.env,
          DATABASE_URL: hq.service_url,
          FOOTBRIDGE_LOG_LEVEL: 'trace',
          ...environment,
        };
        const asked = [command, 'notify', ...args, '--org', organization.slug, '--json'];
        execFile(process.execPath, asked, { env }, (error, stdout, stderr) => {
          resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
        });
      });

    it('from adding a route to a test that arrives, without a secret in any output', async () => {
      const login = { user: 'hq', password: 'pa55-of-hq' };
      const asking = await openMailServer(login);
      try {
        const store = await addTestStore(hq, { organization });
        await person('store_manager', 'mar@acme.example', [store]);
        expect((await run(['add', '--role', 'store_manager'])).code).toBe(0);
        const hook = await run(['add', '--webhook', 'http://127.0.0.1:9/hook']);
        const { secret, id } = JSON.parse(hook.stdout) as { secret: string; id: string };
        expect(secret).toMatch(/^whsec_/);
        const mail = { SMTP_URL: asking.url, FOOTBRIDGE_HQ_MAIL_FROM: 'hq@hq.example' };
        const wrong = { ...mail, SMTP_URL: asking.url.replace('pa55', 'wr0ng') };
        const outputs = [
          await run(['test'], wrong),
          await run(['remove', id]),
          await run(['test'], mail),
          await run(['sent']),
        ];
        expect(outputs.map(({ code }) => code)).toEqual([1, 0, 0, 0]);
        expect(asking.received.map(({ to }) => to)).toEqual(['mar@acme.example']);
        const text = outputs.map(({ stdout, stderr }) => stdout + stderr).join();
        expect(text).toContain('mar@acme.example');
        for (const hidden of ['pa55', 'wr0ng', secret, secret.slice(6, 20)]) {
          expect(text).not.toContain(hidden);
        }
      } finally {
        await asking.close();
      }
    }, 90_000);

    it('refusing what it does not understand', async () => {
      const wrong = [
        ['add'],
        ['add', '--role', 'boss'],
        ['add', '--log', '--severity', 'grave'],
        ['add', '--log', '--quiet', '25:00-07:00'],
      ];
      const codes = await Promise.all(wrong.map(async (args) => (await run(args)).code));
      expect(codes).toEqual([2, 2, 2, 2]);
    }, 90_000);
  });

  it('once, although two processes look at the same moment', async () => {
    const store = await addTestStore(hq, { organization });
    await person('store_manager', 'mar@acme.example', [store]);
    await route({ role: 'store_manager' });
    const gateway = await addGateway(store);
    gateway.up = false;
    await evaluateAlerts(hq.db, {
      organization_id: organization.id,
      now: start + 4 * minute,
      watching_since: 0,
      heartbeat_grace_s: 180,
      thorough: false,
    });
    now = start + 6 * minute;
    const many = Array.from({ length: 4 }, async () => {
      await makeNotifications(hq.db, organization.id, now);
      await deliverWaiting(delivery, organization.id);
    });
    await Promise.all(many);
    expect(smtp.received).toHaveLength(1);
  });
});
