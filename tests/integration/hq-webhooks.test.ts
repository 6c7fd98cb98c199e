import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Metrics } from '../../cloud-sync/metrics.ts';
import { deliverWaiting } from '../../cloud-sync/notify/deliver.ts';
import { addRoute, listNotifications } from '../../cloud-sync/notify/routes.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

const start = Date.UTC(2026, 2, 3, 12);
const minute = 60_000;
const hour = 60 * minute;

describeOnEngines('a webhook', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  /** A message to a receiver that answers 429 with this `Retry-After`, then 200. */
  const refusing = async (retry_after: string) => {
    const { organization } = await addTestStore(hq);
    let answered = 0;
    const server = createServer((_request, response) => {
      answered += 1;
      const headers = answered === 1 ? { 'retry-after': retry_after } : {};
      response.writeHead(answered === 1 ? 429 : 200, headers).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { id } = await addRoute(hq.db, organization, {
      ...{ kind: 'webhook', role: null, severity_min: 'info', timezone: 'UTC' },
      ...{ quiet_from: null, quiet_until: null },
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    });
    await hq.asOwner(
      `insert into notifications (organization_id, route_id, kind, recipient, subject, body,
         next_attempt_at)
       select $1, id, 'webhook', url, 's', 'b', to_timestamp($3::float8 / 1000)
       from app.notification_routes where id = $2`,
      [organization.id, id, start],
    );
    return {
      /** How often it was asked once HQ had tried at this time. */
      askedAt: async (now: number) => {
        const clock = { ...systemClock, now: () => now, random: () => 0 };
        const metrics = new Metrics();
        const on = { db: hq.db, mailer: null, metrics, clock, log: silentLog };
        await deliverWaiting(on, organization.id);
        return answered;
      },
      state: async () => (await listNotifications(hq.db, organization))[0]?.state,
      close: () => new Promise((resolve) => server.close(resolve)),
    };
  };

  it.each([
    ['seconds', '1800', 30 * minute],
    ['a date', new Date(start + 30 * minute).toUTCString(), 30 * minute],
    ['a date that is past', new Date(start - hour).toUTCString(), 1_000],
    ['more than a day', '9999999', 24 * hour],
    ['nothing to go by', 'soon', 1_000],
  ])('that says when to come back, by %s, is left alone until then', async (_how, said, wait) => {
    const receiver = await refusing(said);
    try {
      expect(await receiver.askedAt(start)).toBe(1);
      expect(await receiver.askedAt(start + wait - 500)).toBe(1);
      expect(await receiver.askedAt(start + wait)).toBe(2);
      expect(await receiver.state()).toBe('sent');
    } finally {
      await receiver.close();
    }
  });

  it('has a secret that only the role reads which signs with it', async () => {
    const readers = await hq.asOwner<{ role: string }>(
      `select rolname as role from pg_roles
       where has_column_privilege(rolname, 'app.notification_routes', 'secret', 'select')
         and not rolsuper and not pg_has_role(rolname, 'pg_read_all_data', 'usage')
         and not pg_has_role(rolname, (select relowner from pg_class
           where oid = 'app.notification_routes'::regclass), 'usage')
         and rolname <> all (select r.rolname from pg_roles r where r.rolinherit and r.rolcanlogin)
       order by 1`,
    );
    expect(readers).toEqual([{ role: 'app_notify' }]);
  });
});
