import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { acknowledgeAlert } from '../../cloud-sync/health/answer-alerts.ts';
import { alertsOf } from '../../cloud-sync/reports/alerts.ts';
import type { MailServer } from '../support/mail-server.ts';
import { openMailServer } from '../support/mail-server.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { start, ToldPeople } from '../support/told-people.ts';

const minute = 60_000;
const hour = 60 * minute;

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

  it('once of a router that is down with forty sensors behind it, and once that it is back', async () => {
    const store = await people.addStore();
    await people.person('store_manager', 'mar@acme.example', [store]);
    await people.route({ role: 'store_manager' });
    const gateway = await people.addGateway(store, 40);
    await people.watch(2, [gateway]);
    gateway.up = false;
    await people.watch(15, [gateway]);
    expect(people.subjects()).toEqual(['[critical] Gateway pc is offline, Store']);
    gateway.up = true;
    await people.watch(10, [gateway]);
    expect(people.subjects()).toEqual([
      '[critical] Gateway pc is offline, Store',
      '[resolved] Gateway pc is offline, Store',
    ]);
  });

  it('once of a router between the gateway and its forty sensors', async () => {
    const store = await people.addStore();
    await people.person('store_manager', 'mar@acme.example', [store]);
    await people.route({ role: 'store_manager' });
    const gateway = await people.addGateway(store, 40);
    await people.watch(2, [gateway]);
    gateway.deaf_since = people.now;
    await people.watch(15, [gateway]);
    expect(people.subjects()).toEqual(['[warning] 40 alerts in Store: sensor silent']);
  });

  it('once of a fault that many stores share, and what to look for', async () => {
    const stores = await Promise.all(Array.from({ length: 5 }, () => people.addStore()));
    await people.person('tenant_admin', 'hq@acme.example', []);
    await people.person('store_manager', 'one@acme.example', stores.slice(0, 1));
    await people.route({ role: 'tenant_admin' });
    await people.route({ role: 'store_manager' });
    const gateways = await Promise.all(stores.map((store) => people.addGateway(store)));
    // Heartbeats of different gateways come at different moments of the minute.
    for (const gateway of gateways) {
      gateway.up = false;
      await gateway.beat(people.now);
      people.now += 11_000;
    }
    await people.watch(10, gateways);
    expect(people.subjects('hq@acme.example')).toEqual([
      '[critical] 5 alerts in 5 stores: gateway offline',
    ]);
    expect(smtp.received.find(({ to }) => to === 'hq@acme.example')?.raw).toContain(
      '5 stores lost their line together',
    );
    expect(people.subjects('one@acme.example')).toEqual([
      '[critical] Gateway pc is offline, Store',
    ]);
  });

  it('only about the stores that they may see', async () => {
    const [seen, hidden] = [await people.addStore(), await people.addStore()];
    await people.person('store_staff', 'staff@acme.example', [hidden]);
    await people.person('analyst', 'all@acme.example', []);
    await people.route({ role: 'store_staff' });
    await people.route({ role: 'analyst' });
    const gateway = await people.addGateway(seen);
    gateway.up = false;
    await people.watch(8, [gateway]);
    expect(smtp.received.map(({ to }) => to)).toEqual(['all@acme.example']);
  });

  it('after quiet hours of what is no more than a warning', async () => {
    const store = await people.addStore();
    await people.person('store_manager', 'mar@acme.example', [store]);
    await people.route({
      role: 'store_manager',
      quiet_from: '13:00',
      quiet_until: '13:20',
      timezone: 'Europe/Madrid',
    });
    const gateway = await people.addGateway(store, 3);
    gateway.deaf_since = people.now - 5 * minute;
    await people.watch(19, [gateway]);
    expect(people.subjects()).toEqual([]);
    await people.watch(3, [gateway]);
    expect(people.subjects()).toEqual(['[warning] 3 alerts in Store: sensor silent']);
  });

  it('again after a day, unless somebody has taken it on', async () => {
    const store = await people.addStore();
    const { user_id } = await people.person('store_manager', 'mar@acme.example', [store]);
    await people.route({ role: 'store_manager' });
    const gateway = await people.addGateway(store);
    gateway.up = false;
    await people.watch(8, [gateway]);
    people.now += 24 * hour;
    await people.watch(1, [gateway]);
    expect(people.subjects()).toHaveLength(2);
    const mar = { user_id, organization_id: people.organization.id };
    const [alert] = await alertsOf(hq.db, mar, true);
    await acknowledgeAlert(hq.db, mar, { id: alert?.id ?? '', note: '' });
    people.now += 24 * hour;
    await people.watch(1, [gateway]);
    expect(people.subjects()).toHaveLength(2);
  });

  it('once, although two processes look at the same moment', async () => {
    const store = await people.addStore();
    await people.person('store_manager', 'mar@acme.example', [store]);
    await people.route({ role: 'store_manager' });
    const gateway = await people.addGateway(store);
    gateway.up = false;
    await people.look(start + 4 * minute, false);
    people.now = start + 6 * minute;
    await Promise.all(Array.from({ length: 4 }, () => people.tell()));
    expect(smtp.received).toHaveLength(1);
  });
});
