/** What HQ answers to a gateway that holds the first running total after a start. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { countedIn } from '../../cloud-sync/health/held-counts.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import { readingFlags } from '../../shared/wire/reading.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  noon,
  openHq,
  zone,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { tellHq } from '../support/told-hq.ts';

const minute = 60_000;
const until = noon + 60 * minute;

describeOnEngines('counted in an interval that is held', (engine) => {
  let hq: Hq;
  let store: TestStore;
  let gateway: TestGateway;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());
  beforeEach(async () => {
    store = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, store);
  });

  const ask = async (held: NonNullable<Heartbeat['held']>, from: TestGateway = gateway) => {
    const epochs = [{ epoch: randomUUID(), first_sequence: 1, last_sequence: 1 }];
    const { body } = await tellHq(hq, from, { epochs, held });
    return body.counted;
  };
  const identityOf = () => ({
    organization_id: store.organization.id,
    store_id: store.store_id,
    gateway_id: gateway.gateway_id,
    credential_id: gateway.credential_id,
  });
  const door = { sensor_id: 'front-door' };

  it('is what the readings that start in it say, and when the last of them ends', async () => {
    await gateway.send(
      batch(gateway, [
        count(1, { in: 50 }),
        count(2, { in: 4, out: 2 }),
        count(3, { in: 5, out: 1, interval_s: 90.5 }),
        count(4, { in: 70, sensor_id: 'back-door' }),
        zone(5, { sensor_id: 'front-door' }),
      ]),
    );
    const since = noon + 2 * minute;
    expect(await ask([{ ...door, since, until }])).toEqual([
      {
        ...door,
        since,
        readings: 2,
        in: 9,
        out: 3,
        until: noon + 3 * minute + 90_500,
        is_unclear: false,
      },
    ]);
    expect(await ask([{ ...door, since, until: since + minute }])).toEqual([
      { ...door, since, readings: 1, in: 4, out: 2, until: since + minute, is_unclear: false },
    ]);
  });

  it('is asked for each sensor from its own time on, and leaves those out that have none', async () => {
    await gateway.send(
      batch(gateway, [
        count(1, { in: 1 }),
        count(2, { in: 2 }),
        count(3, { in: 4, sensor_id: 'back-door' }),
        count(4, { in: 8, sensor_id: 'back-door' }),
        count(5, { in: 16, sensor_id: 'side-door' }),
      ]),
    );
    const counted = await ask([
      { ...door, since: noon, until },
      { sensor_id: 'back-door', since: noon + 4 * minute, until },
      { sensor_id: 'side-door', since: noon + 6 * minute, until },
      { sensor_id: 'unheard', since: 0, until },
    ]);
    expect(counted).toMatchObject([
      { sensor_id: 'back-door', in: 8 },
      { sensor_id: 'front-door', in: 3 },
    ]);
  });

  it('leaves out what the asking process has delivered itself, and says how many readings there are', async () => {
    await gateway.send(
      batch(gateway, [count(1, { in: 1 }), count(2, { in: 2 }), count(3, { in: 4 })]),
    );
    const held = [{ ...door, since: noon, until }];
    const { body } = await tellHq(hq, gateway, { held });
    await gateway.send(batch(gateway, [count(4, { in: 8 })]));
    const { heard_at } = body;
    expect((await tellHq(hq, gateway, { held, heard_at })).body).toMatchObject({
      counted: [{ in: 7, readings: 3 }],
    });
  });

  it('cannot be told where a reading began before the interval and ends in it', async () => {
    await gateway.send(batch(gateway, [count(1, { in: 1, interval_s: 120 })]));
    const since = noon + 2 * minute;
    const held = [{ ...door, since, until }];
    expect(await ask(held)).toMatchObject([{ is_unclear: true }]);
    expect(await ask([{ ...door, since: since + minute, until }])).toEqual([]);
  });

  it('says whether the counter was reset or ran over meanwhile', async () => {
    const { reset, wrapped, gap } = readingFlags;
    const readings = [reset, wrapped, gap].map((flags, place) =>
      count(place + 1, { flags: flags | readingFlags.late, sensor_id: `door-${place}` }),
    );
    await gateway.send(batch(gateway, readings));
    const held = readings.map(({ sensor_id }) => ({
      sensor_id,
      since: noon,
      until,
      after_sequence: 0,
    }));
    const counted = await ask(held);
    expect(counted?.map(({ is_unclear }) => is_unclear)).toEqual([true, true, false]);
  });

  it('is of all gateways of the store, and of no other store', async () => {
    await gateway.send(batch(gateway, [count(1, { in: 6 })]));
    const next = await enrollTestGateway(hq, store);
    expect(await ask([{ ...door, since: noon, until }], next)).toMatchObject([{ in: 6 }]);
    const { organization } = store;
    const elsewhere = await enrollTestGateway(hq, await addTestStore(hq, { organization }));
    expect(await ask([{ ...door, since: noon, until }], elsewhere)).toEqual([]);
  });

  it('reads a range of each month from there on, and of nothing where the sensor is silent since', async () => {
    await gateway.send(batch(gateway, [count(1), count(2)]));
    const identity = identityOf();
    const plan = async (since: number) => {
      let lines: string[] = [];
      await hq.db.inTenant(identity, 'app_ingest', async ({ query }) => {
        // A handful of rows would be read whole, whatever the index.
        await query('set local enable_seqscan = off');
        const explain = async (text: string, values?: unknown[]) => {
          if (values === undefined) {
            await query(text);
            return [];
          }
          const rows = await query<{ 'QUERY PLAN': string }>(
            `explain (analyze, costs off, timing off) ${text}`,
            values,
          );
          lines = rows.map((row) => row['QUERY PLAN']);
          return [];
        };
        const held = [{ ...door, since, until: since + minute }];
        await countedIn({ query: explain, commit: async () => {} }, identity, { held });
      });
      return lines;
    };
    const months = (lines: string[]) =>
      lines.filter(
        (line) => /people_counting_raw_\d/.test(line) && !line.includes('never executed'),
      );
    const now = await plan(noon);
    const month = new Date(noon).toISOString().slice(0, 7).replace('-', '_');
    expect(months(now)[0]).toContain(`people_counting_raw_${month}`);
    expect(now.join('\n')).toMatch(/Index Cond: .*"timestamp" > /);
    expect(months(await plan(noon + 63 * minute))).toEqual([]);
  });

  it('cannot be told where more lies between than is read', async () => {
    await gateway.send(
      batch(gateway, [
        count(1, { in: 1 }),
        count(2, { in: 2 }),
        count(3, { in: 4 }),
        count(4, { sensor_id: 'back-door' }),
      ]),
    );
    const held = [
      { ...door, since: noon, until },
      // Behind what is read: not known is not nothing.
      { sensor_id: 'back-door', since: noon + 4 * minute, until },
    ];
    const cut = (rows_max: number) =>
      hq.db.inTenant(identityOf(), 'app_ingest', (tx) =>
        countedIn(tx, identityOf(), { held }, rows_max),
      );
    expect(await cut(3)).toMatchObject([
      { sensor_id: 'back-door', readings: 3, is_unclear: true, until },
      { sensor_id: 'front-door', readings: 3, is_unclear: true },
    ]);
    expect(await cut(5)).toMatchObject([{ in: 3 }, { in: 7, is_unclear: false }]);
  });
});
