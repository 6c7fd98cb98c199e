import { afterAll, beforeAll, expect, it } from 'vitest';
import { validated } from '../../cloud-sync/cli/validated.ts';
import { setStoreFacts, storeFactsSchema } from '../../cloud-sync/tenants/store-facts.ts';
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { listZones, removeZone, setZone, zoneSchema } from '../../cloud-sync/tenants/zones.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';

describeOnEngines('facts of a store', (engine) => {
  let hq: TestDatabase;
  let place: TestStore;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
    place = await addTestStore(hq);
    await hq.asOwner(
      `insert into sensor_metadata (organization_id, store_id, sensor_id, sensor_type)
       values ($1, $2, 'ceiling', 'zone')`,
      [place.organization.id, place.store_id],
    );
  });
  afterAll(() => hq.close());
  const store = () => storeByCode(hq.db, place.organization, place.code);
  const set = async (facts: object) =>
    setStoreFacts(hq.db, place.organization, await store(), validated(storeFactsSchema, facts));
  const draw = async (zone: object) =>
    setZone(
      hq.db,
      place.organization,
      await store(),
      validated(zoneSchema, { sensor: 'ceiling', zone: '1', name: 'Tills', ...zone }),
    );

  it('change one by one, and are taken back with none', async () => {
    await set({ capacity: '120', area: '340.5', comparableSince: '2026-02-01' });
    expect(await set({ active: 'no', name: `Robert'); drop table stores; --` })).toEqual({
      name: `Robert'); drop table stores; --`,
      capacity: 120,
      area_m2: 340.5,
      comparable_since: '2026-02-01',
      is_active: false,
    });
    expect(await set({ capacity: 'none', area: 'none', comparableSince: 'none' })).toMatchObject({
      capacity: null,
      area_m2: null,
      comparable_since: null,
    });
  });

  it.each([
    ['--capacity', { capacity: '0' }],
    ['--capacity', { capacity: '' }],
    ['--capacity', { capacity: '1e3' }],
    ['--capacity', { capacity: '12.5' }],
    ['--capacity', { capacity: '1000001' }],
    ['--area', { area: '0' }],
    ['--area', { area: '-3' }],
    ['--area', { area: '12345678' }],
    ['--comparable-since', { comparableSince: '2026-02-30' }],
    ['--comparable-since', { comparableSince: 'yesterday' }],
    ['--active', { active: 'maybe' }],
    ['--name', { name: ' ' }],
    ['--name', { name: 'x'.repeat(256) }],
  ])('are refused by the name of the option: %s %j', async (option, facts) => {
    await expect(set(facts)).rejects.toMatchObject({
      code: 'usage',
      detail: expect.stringMatching(new RegExp(`^${option} "`)),
    });
  });

  it('draw a zone, change it and forget it', async () => {
    const polygon = [
      [0, 0],
      [4, 0],
      [4, 3.5],
    ];
    await draw({ polygon });
    await draw({ polygon, name: `Tills "left"; select 1` });
    expect(await listZones(hq.db, place.organization, await store())).toEqual([
      { sensor: 'ceiling', zone: '1', name: `Tills "left"; select 1`, type: 'general', polygon },
    ]);
    const gone = { sensor: 'ceiling', zone: '1' };
    await removeZone(hq.db, place.organization, await store(), gone);
    await expect(removeZone(hq.db, place.organization, await store(), gone)).rejects.toMatchObject({
      code: 'value_invalid',
      detail: expect.stringMatching(/^--zone "1"/),
    });
  });

  it.each([
    [[]],
    [
      [
        [0, 0],
        [1, 1],
      ],
    ],
    [
      [
        [0, 0],
        [1, 1],
        [1, 0, 5],
      ],
    ],
    [
      [
        [0, 0],
        [1, 1],
        ['1', 0],
      ],
    ],
    [
      [
        [0, 0],
        [1, 1],
        [1, null],
      ],
    ],
    [5],
    [{ x: 1 }],
    [Array.from({ length: 1001 }, (_, i) => [i, i])],
  ])('refuse an outline that is none: %j', async (polygon) => {
    await expect(draw({ polygon })).rejects.toMatchObject({
      code: 'usage',
      detail: expect.stringMatching(/^--polygon .*use 3 to 1000 corners/),
    });
  });

  it('refuse a zone of a sensor that nobody has heard of, by its name', async () => {
    await expect(draw({ sensor: `x' or 1=1 --` })).rejects.toMatchObject({
      code: 'value_invalid',
      detail: `--sensor "x' or 1=1 --": HQ has heard of no such sensor in "${place.code}"`,
    });
  });
});
