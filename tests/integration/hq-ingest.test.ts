import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { Database } from '../../cloud-sync/db/pool.ts';
import { ingestBatch } from '../../cloud-sync/ingest/ingest-batch.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { batchAnswerSchema } from '../../shared/wire/batch.ts';
import { errorBodySchema } from '../../shared/wire/error-body.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  gzip,
  noon,
  openHq,
  zone,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

/** Asks again while the same batch is being stored, as the gateway does. */
async function asGateway<T>(deliver: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await deliver();
    } catch (error) {
      if (!(error instanceof FootbridgeError && error.code === 'batch_in_flight')) throw error;
    }
  }
}

describeOnEngines('ingest', (engine) => {
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

  const raw = () =>
    hq.asOwner<{ sensor_id: string; in_count: number; gateway_sequence: number }>(
      'select * from people_counting_raw where store_id = $1 order by gateway_sequence',
      [store.store_id],
    );
  const codeOf = (body: unknown) => errorBodySchema.parse(body).error.code;

  it('stores counts and zones and acknowledges them', async () => {
    const sent = batch(gateway, [count(1), zone(2), count(3)]);
    const { status, body } = await gateway.send(sent);
    expect(status).toBe(200);
    expect(batchAnswerSchema.parse(body)).toEqual({
      batch_id: sent.batch_id,
      accepted: 3,
      duplicate: 0,
      rejected: [],
      ack_sequence: 3,
      // Alone at HQ, a gateway may send five batches of what waited at once.
      backlog: { in_flight: 5, pause_ms: 0 },
    });
    expect((await raw()).map((row) => row.gateway_sequence)).toEqual([1, 3]);
    const zones = await hq.asOwner(
      'select region_id, occupancy, dwell_time from regional_counting_raw where store_id = $1',
      [store.store_id],
    );
    expect(zones).toEqual([{ region_id: 'queue', occupancy: 4, dwell_time: 12.5 }]);
  });

  it('registers sensors it has not heard of, and shows their latest state', async () => {
    await gateway.send(batch(gateway, [count(1), count(2, { in: 9 }), zone(3)]));
    const latest = await hq.asOwner(
      'select sensor_id, sensor_type, last_in_count, last_data_timestamp from latest_sensor_data where store_id = $1 order by 1',
      [store.store_id],
    );
    expect(latest).toMatchObject([
      { sensor_id: 'front-door', sensor_type: 'line', last_in_count: 9 },
      { sensor_id: 'till-zone', sensor_type: 'zone', last_in_count: null },
    ]);
  });

  it('does not move the latest state back when a late reading comes', async () => {
    await gateway.send(batch(gateway, [count(50, { in: 7 })]));
    await gateway.send(batch(gateway, [count(51, { in: 1, observed_at: noon - 3_600_000 })]));
    const [latest] = await hq.asOwner(
      'select last_in_count from latest_sensor_data where store_id = $1',
      [store.store_id],
    );
    expect(latest).toEqual({ last_in_count: 7 });
  });

  it('does not take a reading of months ahead for the latest', async () => {
    const ahead = Date.now() + 40 * 24 * 3_600_000;
    await gateway.send(batch(gateway, [count(50, { in: 3, observed_at: ahead })]));
    await gateway.send(batch(gateway, [count(51, { in: 7 })]));
    const [latest] = await hq.asOwner(
      'select last_in_count from latest_sensor_data where store_id = $1',
      [store.store_id],
    );
    expect(latest).toEqual({ last_in_count: 7 });
  });

  it('answers a replay with the stored answer', async () => {
    const sent = gzip(batch(gateway, [count(1), count(2)]));
    const first = await gateway.send(sent);
    await gateway.send(batch(gateway, [count(3)]));
    expect(await gateway.send(sent)).toEqual(first);
    expect(await raw()).toHaveLength(3);
  });

  it('refuses a batch id that had another body', async () => {
    const batch_id = randomUUID();
    await gateway.send(batch(gateway, [count(1)], { batch_id }));
    const { status, body } = await gateway.send(batch(gateway, [count(2)], { batch_id }));
    expect([status, codeOf(body)]).toEqual([422, 'batch_conflict']);
    expect(await raw()).toHaveLength(1);
  });

  it('handles a new batch that overlaps settled sequences row by row', async () => {
    await gateway.send(batch(gateway, [count(1), zone(2), count(3)]));
    const { body } = await gateway.send(batch(gateway, [zone(2), count(3), count(4)]));
    expect(body).toMatchObject({ accepted: 1, duplicate: 2, rejected: [], ack_sequence: 4 });
    expect(await raw()).toHaveLength(3);
  });

  it('never drops a reading silently that says something else about a known interval', async () => {
    await gateway.send(batch(gateway, [count(1, { in: 5 }), zone(2)]));
    const { body } = await gateway.send(
      batch(gateway, [
        count(3, { observed_at: noon + 60_000, in: 6 }),
        zone(4, { observed_at: noon + 120_000, occupancy: null }),
        count(5),
      ]),
    );
    expect(body).toMatchObject({
      accepted: 1,
      duplicate: 0,
      rejected: [
        { sequence: 3, code: 'reading_conflict', detail: expect.stringContaining('HQ has in 5') },
        { sequence: 4, code: 'reading_conflict', detail: expect.stringContaining('HQ has 4') },
      ],
    });
    expect((await raw()).map((row) => row.in_count)).toEqual([5, 3]);
  });

  it('rejects the second of two readings of one interval in one batch', async () => {
    const { body } = await gateway.send(
      batch(gateway, [count(1, { observed_at: noon }), count(2, { observed_at: noon, in: 8 })]),
    );
    expect(body).toMatchObject({ accepted: 1, rejected: [{ sequence: 2 }] });
    expect((await raw()).map((row) => row.in_count)).toEqual([3]);
  });

  it('knows the rows of a buffer again whose gateway enrolled anew', async () => {
    await gateway.send(batch(gateway, [count(1), count(2)]));
    const again = await enrollTestGateway(hq, store);
    const { body } = await again.send(batch(gateway, [count(2), count(3)]));
    expect(body).toMatchObject({ accepted: 1, duplicate: 1, rejected: [] });
  });

  it('rejects rows for whose month it has no partition, and takes the others', async () => {
    const year_ago = noon - 365 * 86_400_000;
    const { body } = await gateway.send(
      batch(gateway, [
        count(1),
        count(2, { observed_at: year_ago }),
        zone(3, { observed_at: year_ago }),
      ]),
    );
    expect(body).toMatchObject({
      accepted: 1,
      rejected: [
        { sequence: 2, code: 'no_partition' },
        { sequence: 3, code: 'no_partition' },
      ],
      ack_sequence: 3,
    });
  });

  it('acknowledges only up to the first gap, in whatever order batches come', async () => {
    const ack = async (from: number, to: number) => {
      const { body } = await gateway.send(
        batch(gateway, [count(to)], { first_sequence: from, last_sequence: to }),
      );
      return body.ack_sequence;
    };
    expect(await ack(7, 9)).toBe(0);
    expect(await ack(1, 3)).toBe(3);
    expect(await ack(5, 6)).toBe(3);
    expect(await ack(4, 4)).toBe(9);
  });

  it('keeps the sequences of two lives of a buffer apart', async () => {
    await gateway.send(batch(gateway, [count(1), count(2)]));
    const other = { epoch: randomUUID() };
    const { body } = await gateway.send(batch(other, [count(2, { sensor_id: 'back-door' })]));
    expect(body).toMatchObject({ accepted: 1, ack_sequence: 0 });
  });

  it('is right when several processes get the same and overlapping batches at once', async () => {
    const processes = Array.from(
      { length: 3 },
      () => new Database({ url: hq.service_url, log: silentLog, name: 'test' }),
    );
    const identity = {
      organization_id: store.organization.id,
      store_id: store.store_id,
      gateway_id: gateway.gateway_id,
      credential_id: gateway.credential_id,
    };
    const range = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => count(from + i));
    const batches = [
      batch(gateway, range(1, 40)),
      batch(gateway, range(20, 60)),
      batch(gateway, range(41, 80)),
      batch(gateway, range(61, 100)),
    ];
    const deliveries = processes.flatMap((db) =>
      batches.map((one) => {
        const digest = createHash('sha256').update(one.batch_id).digest();
        return asGateway(() => ingestBatch(db, identity, one, digest));
      }),
    );
    const answers = await Promise.all(deliveries);
    const once = new Map(answers.map((answer) => [answer.batch_id, answer.accepted]));
    expect([...once.values()].reduce((a, b) => a + b)).toBe(100);
    expect(answers.flatMap(({ rejected }) => rejected)).toEqual([]);
    expect(await raw()).toHaveLength(100);
    await Promise.all(processes.map((db) => db.close()));
    await eventually(
      () =>
        hq.asOwner<{ total: number }>(
          'select coalesce(sum(total_in), 0)::int as total from hourly_analytics where store_id = $1',
          [store.store_id],
        ),
      ([row]) => Number(row?.total) === 300,
    );
  });
});
