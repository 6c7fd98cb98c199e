import { afterAll, beforeAll, expect, it } from 'vitest';
import { totalsOf } from '../../cloud-sync/reports/days.ts';
import { hoursOf } from '../../cloud-sync/reports/hours.ts';
import type { roles } from '../../cloud-sync/tenants/users.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';
import { addLine, insertCounts } from '../support/store-traffic.ts';
import { seeded } from '../torture/seeded.ts';

const hour = 3_600_000;

/** Where it is noon now: at night, what came two hours ago can be of a business day that has ended. */
function zoneAtNoon(): string {
  const ahead = 12 - new Date().getUTCHours();
  // POSIX counts west of Greenwich.
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

describeOnEngines('live hours', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    await hq.asOwner('select app.ensure_partitions(13, 3)');
  });
  afterAll(() => hq.close());

  const personOf = async (store: TestStore, role: (typeof roles)[number]) => {
    const { user_id } = await addUser(hq.db, store.organization, {
      email: `${role}-${store.code}@acme.example`,
      role,
      stores: [store.code],
    });
    return { user_id, organization_id: store.organization.id };
  };
  const seen = (person: { user_id: string; organization_id: string }, view: string) =>
    hq.db.inTenant(
      { claims: { sub: person.user_id, organization_id: person.organization_id } },
      'authenticated',
      ({ query }) =>
        query<{ row: string }>(
          `select (to_jsonb(l) - 'revised_at' - 'live')::text as row from ${view} l order by 1`,
        ),
    );

  it('are what rollups will write: a sensor, a store, who is inside', async () => {
    const random = seeded(20);
    // The night in which the clock goes back lies in it, a reset hour, and the present.
    const year = new Date().getUTCFullYear();
    const now = Date.now();
    const autumn = Date.UTC(year - 1, 9, 25, 12);
    for (const timezone of ['Europe/Madrid', 'Australia/Lord_Howe']) {
      const store = await addTestStore(hq, { timezone });
      await addLine(hq, store, 'mall', { role: 'outside' });
      await addLine(hq, store, 'door-1/staff', { role: 'staff' });
      await hq.asOwner(
        `insert into store_hours select $1, $2, d, '09:30', '20:00' from generate_series(1, 7) d`,
        [store.organization.id, store.store_id],
      );
      const viewer = await personOf(store, 'viewer');
      for (let round = 0; round < 4; round += 1) {
        const from = round % 2 === 0 ? autumn : now - 30 * hour;
        await insertCounts(
          hq,
          store,
          Array.from({ length: 300 }, () => ({
            sensor_id: ['door-1', 'door-2', 'mall', 'door-1/staff'][random.below(4)] ?? '',
            at: from + random.below(30 * 60) * 60_000,
            in: random.below(9),
            out: random.below(9),
          })),
        );
        // Some hours are done already, others wait; so do days.
        if (round === 1) await rollEverything(hq.db);
        if (round === 2) {
          await hq.asOwner('delete from people_counting_raw where store_id = $1 and in_count = 3', [
            store.store_id,
          ]);
        }
      }
      const live = [
        await seen(viewer, 'store_hourly_live'),
        await seen(viewer, 'hourly_analytics_live'),
      ];
      await rollEverything(hq.db);
      const written = [
        await seen(viewer, 'store_hourly_live'),
        await seen(viewer, 'hourly_analytics_live'),
      ];
      expect(live[0]?.length).toBeGreaterThan(50);
      expect(live).toEqual(written);
      const [waiting] = await hq.asOwner<{ n: number }>(
        'select count(*) as n from app.rollup_dirty where store_id = $1',
        [store.store_id],
      );
      expect(waiting?.n).toBe(0);
    }
  });

  it('show a reading as soon as it has arrived, also to those who may not read crossings', async () => {
    const store = await addTestStore(hq, { timezone: zoneAtNoon() });
    const at = Date.now() - 2 * hour;
    await insertCounts(hq, store, [{ sensor_id: 'front-door', at, in: 5, out: 2 }]);
    for (const role of ['store_staff', 'viewer', 'analyst', 'tenant_admin'] as const) {
      const person = await personOf(store, role);
      const { hours } = await totalsOf(hq.db, person, store.code, {});
      expect(hours).toMatchObject([{ total_in: 5, net_occupancy: 3 }]);
      expect((await hoursOf(hq.db, person, store.code, {})).hours).toMatchObject([
        { sensor_id: 'front-door', total_in: 5, total_out: 2 },
      ]);
    }
  });

  it('are nobody else’s: not of another store, nor of another organization, nor by asking for it', async () => {
    const store = await addTestStore(hq);
    const neighbour = await addTestStore(hq, { organization: store.organization });
    const stranger = await addTestStore(hq);
    const at = Date.now() - 2 * hour;
    for (const one of [store, neighbour, stranger]) {
      await insertCounts(hq, one, [{ sensor_id: 'front-door', at, in: 5 }]);
    }
    const manager = await personOf(store, 'store_manager');
    const own = await seen(manager, 'store_hourly_live');
    expect(own).toHaveLength(1);
    expect(own[0]?.row).toContain(store.store_id);
    // Even with the way to the function open, which no migration opens.
    await hq.asOwner('grant usage on schema app to authenticated');
    for (const other of [neighbour, stranger]) {
      const rows = await hq.db.inTenant(
        { claims: { sub: manager.user_id, organization_id: manager.organization_id } },
        'authenticated',
        ({ query }) =>
          query('select * from app.live_hours($1, $2)', [other.organization.id, other.store_id]),
      );
      expect(rows).toEqual([]);
    }
  });
});
