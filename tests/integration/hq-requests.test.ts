import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { batch_bytes_max } from '../../shared/wire/batch.ts';
import { errorBodySchema } from '../../shared/wire/error-body.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  gzip,
  openHq,
  zone,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

describeOnEngines('requests to HQ', (engine) => {
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

  it('takes plain JSON as well as gzip', async () => {
    const body = JSON.stringify(batch(gateway, [count(1)]));
    const answer = await gateway.send(body, { 'content-encoding': 'identity' });
    expect(answer.status).toBe(200);
  });

  it('refuses what breaks the contract and names the field', async () => {
    const good = batch(gateway, [count(1)]);
    const bad = [
      { ...good, organization_id: store.organization.id },
      { ...good, counts: { ...good.counts, in: [-1] } },
      { ...good, counts: { ...good.counts, out: [] } },
      { ...good, sensors: ['Front Door'] },
      { ...batch(gateway, [zone(1)]), regions: ['a\0b'] },
    ];
    const details = [];
    for (const body of bad) {
      const answer = await gateway.send(gzip(body));
      expect([answer.status, codeOf(answer.body)]).toEqual([422, 'batch_invalid']);
      details.push(errorBodySchema.parse(answer.body).error.detail?.split(':')[0]);
    }
    expect(details).toEqual(['body', 'counts.in.0', 'counts.out', 'sensors.0', 'regions.0']);
    expect(await raw()).toEqual([]);
  });

  it('refuses what the database cannot hold as a fault of the batch, so that it can be split', async () => {
    const sent = { ...batch(gateway, [zone(1)]), regions: ['a\ud800'] };
    const { status, body } = await gateway.send(sent);
    expect([status, codeOf(body)]).toEqual([422, 'batch_invalid']);
  });

  it('refuses a gzip bomb while it inflates', async () => {
    const bomb = gzipSync(Buffer.alloc(200 * 1024 * 1024, 0x20), { level: 9 });
    expect(bomb.length).toBeLessThan(batch_bytes_max);
    const before = process.memoryUsage.rss();
    const { status, body } = await gateway.send(bomb);
    expect([status, codeOf(body)]).toEqual([413, 'body_too_large']);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);
  });

  it('refuses bodies that are too large, cut short, not JSON, or in another encoding', async () => {
    const good = gzip(batch(gateway, [count(1)]));
    const answers = [
      await gateway.send(Buffer.alloc(batch_bytes_max + 1, 0x20)),
      await gateway.send(good.subarray(0, good.length - 9)),
      await gateway.send(Buffer.from('nonsense')),
      await gateway.send(gzipSync('{"version":')),
      await gateway.send(good, { 'content-encoding': 'br' }),
    ];
    expect(answers.map(({ status, body }) => [status, codeOf(body)])).toEqual([
      [413, 'body_too_large'],
      [400, 'body_malformed'],
      [400, 'body_malformed'],
      [400, 'body_malformed'],
      [415, 'encoding_unsupported'],
    ]);
  });

  it('answers an unknown address and a wrong method in the same form', async () => {
    const { status, body } = await hq.post('/v2/batches', {});
    expect([status, codeOf(body)]).toEqual([404, 'route_unknown']);
    const get = await fetch(`${hq.url}/v1/batches`);
    expect([get.status, codeOf(await get.json())]).toEqual([404, 'route_unknown']);
  });

  it('says that it lives, that it is ready, and what it has counted', async () => {
    await gateway.send(batch(gateway, [count(1)]));
    expect((await fetch(`${hq.url}/livez`)).status).toBe(200);
    expect((await fetch(`${hq.url}/readyz`)).status).toBe(200);
    const text = await (await fetch(`${hq.url}/metrics`)).text();
    expect(text).toMatch(/^hq_readings_accepted_total [1-9]/m);
    expect(text).toMatch(/^hq_http_requests_total\{route="\/v1\/batches",status="200"\} [1-9]/m);
  });
});
