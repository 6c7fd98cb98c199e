/** A zone keeps its device's id; what it is called stands at HQ, once, for everything that it has counted. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import { setZone } from '../../cloud-sync/tenants/zones.ts';
import type { Hq } from '../support/hq.ts';
import { addTestStore, batch, enrollTestGateway, openHq, zone } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { rollEverything } from '../support/rollups.ts';

describeOnEngines('a zone’s name at HQ', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());

  it('is shown beside its hours, those before it was named too, and after it is corrected', async () => {
    const store = await addTestStore(hq, { timezone: 'UTC' });
    const { organization, code } = store;
    const gateway = await enrollTestGateway(hq, store);
    const manager = await addUser(hq.db, organization, {
      ...{ email: `${randomUUID()}@acme.example`, role: 'store_manager' as const, stores: [code] },
    });
    const counted = async (sequence: number) => {
      const reading = zone(sequence, { sensor_id: 'ceiling', region_id: '3', occupancy: sequence });
      expect((await gateway.send(batch(gateway, [reading]))).status).toBe(200);
      await rollEverything(hq.db);
    };
    const named = async (name: string) =>
      setZone(hq.db, organization, await storeByCode(hq.db, organization, code), {
        ...{ sensor: 'ceiling', zone: '3', name, type: 'general' },
      });
    const person = { claims: { sub: manager.user_id, organization_id: organization.id } };
    const shown = () =>
      hq.db.inTenant(person, 'authenticated', ({ query }) =>
        query<{ name: string; hours: number }>(
          `select r.name, count(*)::int as hours from public.zone_hourly z
           join public.region_configurations r using (organization_id, store_id, sensor_id, region_id)
           where z.region_id = '3' group by r.name`,
        ),
      );

    await counted(1);
    expect(await shown()).toEqual([]);
    await named('Entrance A');
    expect(await shown()).toEqual([{ name: 'Entrance A', hours: 1 }]);
    await counted(61);
    await named('Entrance B');
    expect(await shown()).toEqual([{ name: 'Entrance B', hours: 2 }]);
  });
});
