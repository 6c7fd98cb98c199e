/** HQ's memory of an epoch: exactly the sequences that it has answered for, and each person once. */
import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { withClient } from '../../cloud-sync/db/pool.ts';
import { listLosses } from '../../cloud-sync/gateways/losses.ts';
import { ingestBatch } from '../../cloud-sync/ingest/ingest-batch.ts';
import type { Batch } from '../../shared/wire/batch.ts';
import type { EpochReport } from '../../shared/wire/heartbeat.ts';
import { type BufferedReading, readingFlags } from '../../shared/wire/reading.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  noon,
  openHq,
  zone,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { tellHq } from '../support/told-hq.ts';

const year_ago = noon - 365 * 86_400_000;

/** People of several readings in one. */
const sum = (sequence: number, people: number): BufferedReading =>
  count(sequence, { in: people, interval_s: 300, flags: readingFlags.coalesced });

describeOnEngines('the memory of an epoch', (engine) => {
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

  const tell = async (
    epochs: EpochReport[] = [{ epoch: gateway.epoch, first_sequence: 1, last_sequence: 100 }],
    from: TestGateway = gateway,
  ) => {
    const { body } = await tellHq(hq, from, { epochs });
    return body.epochs?.find(({ epoch }) => epoch === gateway.epoch)?.settled;
  };
  const people = async () => {
    const [row] = await hq.asOwner<{ people: number }>(
      'select coalesce(sum(in_count), 0)::int as people from people_counting_raw where store_id = $1',
      [store.store_id],
    );
    return row?.people;
  };
  const losses = async () =>
    (await listLosses(hq.db, store.organization)).map(({ source, reason, epoch, count: n }) => ({
      [`${source} ${reason}`]: n,
      own: epoch === gateway.epoch,
    }));

  it('is the range of a batch without what is absent, and with what is included', async () => {
    await gateway.send(
      batch(gateway, [count(10), sum(12, 9)], {
        first_sequence: 8,
        last_sequence: 15,
        absent: [9, 14],
        included: [31, 30, 3],
      }),
    );
    expect(await tell()).toEqual([
      [3, 3],
      [8, 8],
      [10, 13],
      [15, 15],
      [30, 31],
    ]);
  });

  it('is told within what the gateway told of it', async () => {
    await gateway.send(batch(gateway, [count(1)], { last_sequence: 50 }));
    const told = { epoch: gateway.epoch, first_sequence: 11, last_sequence: 20 };
    expect(await tell([told])).toEqual([[11, 20]]);
    expect(await tell([{ ...told, last_sequence: 10 }])).toEqual([]);
  });

  it('acknowledges from the first sequence that was told of it', async () => {
    await tell([{ epoch: gateway.epoch, first_sequence: 41, last_sequence: 60 }]);
    const ack = async (sequence: number) =>
      (await gateway.send(batch(gateway, [count(sequence)]))).body.ack_sequence;
    expect([await ack(43), await ack(41), await ack(42)]).toEqual([0, 41, 43]);
  });

  it('counts a reading no more whose people are in a sum', async () => {
    await tell();
    await gateway.send(
      batch(gateway, [sum(2, 12)], { first_sequence: 2, last_sequence: 2, included: [3, 4, 5] }),
    );
    const again = batch(gateway, [count(3), count(4, { in: 7 }), zone(5), count(6)]);
    expect((await gateway.send(again)).body).toMatchObject({
      accepted: 1,
      duplicate: 3,
      rejected: [],
    });
    expect(await people()).toBe(15);
    expect(await losses()).toEqual([]);
  });

  it('counts a sum no more of which it has every part', async () => {
    await tell();
    await gateway.send(batch(gateway, [count(2), count(3), count(4)]));
    const { body } = await gateway.send(
      batch(gateway, [sum(2, 9), count(8)], { absent: [5, 6, 7], included: [] }),
    );
    expect(body).toMatchObject({ accepted: 1, duplicate: 1, rejected: [] });
    expect(await people()).toBe(12);
  });

  it('refuses a sum of which it has a part, into its ledger', async () => {
    await tell();
    await gateway.send(batch(gateway, [count(3)]));
    const sent = [sum(2, 9), count(8)];
    const { body } = await gateway.send(
      batch(gateway, sent, { absent: [5, 6, 7], included: [20] }),
    );
    expect(body).toMatchObject({
      accepted: 1,
      duplicate: 0,
      rejected: [
        { sequence: 2, code: 'reading_conflict', detail: expect.stringContaining('1 of') },
      ],
    });
    expect(await people()).toBe(6);
    expect(await losses()).toEqual([{ 'hq reading_conflict': 1, own: true }]);
  });

  it('stores a sum beside readings that it has, where none of them is in it', async () => {
    await tell();
    await gateway.send(batch(gateway, [count(6)]));
    const { body } = await gateway.send(
      batch(gateway, [sum(2, 9), count(6)], { absent: [5], included: [9] }),
    );
    expect(body).toMatchObject({ accepted: 1, duplicate: 1, rejected: [] });
    expect(await people()).toBe(12);
  });

  it('refuses a sum of which a part is settled while it is stored', async () => {
    await tell();
    let sent: ReturnType<TestGateway['send']> | undefined;
    await withClient(hq.owner_url, async (other) => {
      await other.query('begin');
      await other.query(`update app.gateway_epochs set settled = '{[3,3]}' where epoch = $1`, [
        gateway.epoch,
      ]);
      sent = gateway.send(batch(gateway, [sum(2, 9)], { included: [3, 4] }));
      await eventually(
        () =>
          hq.asOwner(
            `select from pg_stat_activity where datname = current_database()
               and wait_event_type = 'Lock' and query like '%app.settle%'`,
          ),
        (waiting) => waiting.length === 1,
      );
      await other.query('commit');
    });
    expect((await sent)?.body).toMatchObject({
      accepted: 0,
      rejected: [{ sequence: 2, code: 'reading_conflict' }],
    });
    expect(await people()).toBe(0);
    expect(await losses()).toEqual([{ 'hq reading_conflict': 1, own: true }]);
  });

  it('holds for the buffer of a gateway that enrolled anew', async () => {
    await tell();
    await gateway.send(batch(gateway, [sum(2, 9)], { included: [3, 4] }));
    const again = await enrollTestGateway(hq, store);
    const { body } = await again.send(batch(gateway, [count(3), count(5)]));
    expect(body).toMatchObject({ accepted: 1, duplicate: 1 });
    const told = { epoch: gateway.epoch, first_sequence: 1, last_sequence: 9 };
    expect(await tell([told], again)).toEqual([[2, 5]]);
  });

  it('is nothing that another store learns of or changes', async () => {
    await gateway.send(batch(gateway, [count(1), count(2)]));
    const { organization } = store;
    const elsewhere = await enrollTestGateway(hq, await addTestStore(hq, { organization }));
    const told = { epoch: gateway.epoch, first_sequence: 1, last_sequence: 9 };
    expect(await tell([told], elsewhere)).toEqual([]);
    const { body } = await elsewhere.send(batch(gateway, [count(2), count(3)]));
    expect(body).toMatchObject({ accepted: 2, duplicate: 0 });
    expect(await tell()).toEqual([[1, 2]]);
    expect(await losses()).toEqual([]);
  });

  it('refuses a batch that would not settle a row which it carries', async () => {
    const sent = batch(gateway, [count(1), count(2)], { absent: [2] });
    expect((await gateway.send(sent)).status).toBe(422);
  });

  it('lets the ledger stand that HQ refused, once, also where the gateway tells it too', async () => {
    const sent = batch(gateway, [count(1), count(2, { observed_at: year_ago }), zone(3)]);
    await gateway.send(sent);
    await gateway.send(sent);
    expect(await losses()).toEqual([{ 'hq no_partition': 1, own: true }]);
    const conflicts = [count(4, { observed_at: noon + 60_000, in: 9 }), count(5)];
    await gateway.send(batch(gateway, [count(1), ...conflicts], { absent: [2, 3] }));
    expect(await losses()).toHaveLength(2);
    await gateway.send(batch(gateway, [count(2, { observed_at: year_ago })]));
    expect(await losses()).toEqual([
      { 'hq no_partition': 1, own: true },
      { 'hq reading_conflict': 1, own: true },
    ]);
  });

  it('is exact after any batches in any order, and counts each person of them once', async () => {
    const identity = {
      organization_id: store.organization.id,
      store_id: store.store_id,
      gateway_id: gateway.gateway_id,
      credential_id: gateway.credential_id,
    };
    let base = 0;
    const law = fc.asyncProperty(
      fc.array(aBatch, { minLength: 1, maxLength: 6 }),
      async (plans) => {
        base += 1_000;
        const epoch = randomUUID();
        await tell([{ epoch, first_sequence: 1, last_sequence: 9_999_999 }]);
        const before = await people();
        const settled = new Set<number>();
        let counted = 0;
        for (const plan of plans) {
          const sent = toSend(epoch, base, plan);
          const sha256 = createHash('sha256').update(sent.batch_id).digest();
          const answer = await ingestBatch(hq.db, identity, sent, sha256);
          const { first_sequence: first, last_sequence: last } = sent;
          const all = [...range(first, last).filter((s) => !sent.absent?.includes(s))].concat(
            sent.included ?? [],
          );
          // One person in every single reading; a sum is one reading of this batch alone.
          counted += sent.counts.sequence.filter((s) => !settled.has(s)).length;
          for (const sequence of all) settled.add(sequence);
          expect(answer.rejected).toEqual([]);
        }
        const [row] = await hq.asOwner<{ all: string }>(
          'select settled::text as all from app.gateway_epochs where epoch = $1',
          [epoch],
        );
        const [same] = await hq.asOwner<{ same: boolean }>(
          `select coalesce(range_agg(int8range(s, s, $2)), '{}') = $3::int8multirange as same
           from unnest($1::bigint[]) s`,
          [[...settled], '[]', row?.all],
        );
        expect(same).toEqual({ same: true });
        expect((await people()) ?? 0).toBe((before ?? 0) + counted);
      },
    );
    await fc.assert(law, { numRuns: 25, examples: [[[nothing]]] });
  });
});

interface Plan {
  first: number;
  length: number;
  rows: boolean[];
  absent: boolean[];
  included: number[];
}
/** A batch whose only sequence is absent. */
const nothing: Plan = { first: 1, length: 1, rows: [false], absent: [true], included: [] };
const aBatch: fc.Arbitrary<Plan> = fc.record({
  first: fc.integer({ min: 1, max: 40 }),
  length: fc.integer({ min: 1, max: 12 }),
  rows: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  absent: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  included: fc.uniqueArray(fc.integer({ min: 60, max: 70 }), { maxLength: 3 }),
});

const range = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, place) => first + place);

/** One person in each row; what is no row is absent or quarantined in the store. */
function toSend(epoch: string, base: number, plan: Plan): Batch {
  const sequences = range(plan.first, plan.first + plan.length - 1);
  const rows = sequences.filter((_, place) => plan.rows[place]);
  const absent = sequences.filter((_, place) => !plan.rows[place] && plan.absent[place]);
  const readings = rows.map((sequence) =>
    count(sequence, { in: 1, out: 0, observed_at: noon + (base + sequence) * 1_000 }),
  );
  return batch({ epoch }, readings, {
    first_sequence: plan.first,
    last_sequence: plan.first + plan.length - 1,
    absent,
    included: plan.included,
  });
}
