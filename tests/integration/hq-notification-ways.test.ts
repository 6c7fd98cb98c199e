import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listNotifications } from '../../cloud-sync/notify/routes.ts';
import { testRoutes } from '../../cloud-sync/notify/test-routes.ts';
import type { MailServer } from '../support/mail-server.ts';
import { header, openMailServer } from '../support/mail-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { ToldPeople } from '../support/told-people.ts';

const minute = 60_000;

describeOnEngines('people are told of alerts', (engine) => {
  let hq: TestDatabase;
  let smtp: MailServer;
  let people: ToldPeople;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    smtp = await openMailServer();
  });
  afterAll(async () => {
    await smtp.close();
    await hq.close();
  });
  beforeEach(async () => {
    people = await ToldPeople.begin(hq, smtp);
  });

  describe('by e-mail', () => {
    const oneAlert = async () => {
      const store = await people.addStore();
      await people.person('store_manager', 'mar@acme.example', [store]);
      await people.route({ role: 'store_manager' });
      const gateway = await people.addGateway(store);
      gateway.up = false;
      people.now += 4 * minute;
      return () => people.watch(2, [gateway]);
    };
    const made = async () => {
      const [one] = await listNotifications(hq.db, people.organization);
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
      people.delivery = { ...people.delivery, mailer: null };
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
        const { secret } = await people.route({ kind: 'webhook', url });
        const gateway = await people.addGateway(await people.addStore());
        gateway.up = false;
        await people.watch(8, [gateway]);
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
            organization_id: people.organization.id,
            alerts: [{ alert_type: 'gateway_offline', state: 'firing', severity: 'critical' }],
          },
        });
        gateway.up = true;
        await people.watch(10, [gateway]);
        expect(posts).toHaveLength(3);
        expect(await listNotifications(hq.db, people.organization)).toMatchObject([
          { state: 'failed', attempts: 1, detail: expect.stringContaining('410') },
          { state: 'sent', attempts: 2 },
        ]);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
  });

  it('and a test goes the same way to each of them', async () => {
    const store = await people.addStore();
    await people.person('store_manager', 'mar@acme.example', [store]);
    await people.person('store_manager', 'lea@acme.example', [store]);
    await people.route({ role: 'store_manager' });
    await people.route({ kind: 'log' });
    expect(await testRoutes(people.delivery, people.organization.id)).toMatchObject([
      { kind: 'email', recipient: 'lea@acme.example', state: 'sent' },
      { kind: 'email', recipient: 'mar@acme.example', state: 'sent' },
      { kind: 'log', state: 'sent' },
    ]);
    expect(people.subjects()).toEqual(['Test of Footbridge', 'Test of Footbridge']);
  });
});
