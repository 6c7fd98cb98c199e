import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { BatchAnswer } from '../../shared/wire/batch.ts';
import type { Answer, Hq, TestGateway, TestStore } from '../support/hq.ts';
import {
  addTestStore,
  batch,
  count,
  enrollTestGateway,
  eventually,
  gzip,
  openHq,
} from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { entry } from '../support/process.ts';

/** HQ as it is started by hand: a process of its own on a database that others use too. */
async function startProcess(database_url: string): Promise<{ url: string; end: () => void }> {
  const child: ChildProcess = spawn(
    process.execPath,
    [entry['footbridge-hq'], 'serve', '--listen', '127.0.0.1:0'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { PATH: process.env['PATH'], DATABASE_URL: database_url },
    },
  );
  let said = '';
  for await (const chunk of child.stdout ?? []) {
    said += chunk;
    const url = /^Listening on (\S+)$/m.exec(said)?.[1];
    if (url !== undefined) return { url, end: () => child.kill('SIGKILL') };
  }
  await once(child, 'exit');
  throw new Error(`HQ did not start: ${said}`);
}

describeOnEngines('two HQ processes on one database', (engine) => {
  let hq: Hq;
  let store: TestStore;
  let gateway: TestGateway;
  const processes: { url: string; end: () => void }[] = [];
  beforeAll(async () => {
    hq = await openHq(engine);
    store = await addTestStore(hq);
    gateway = await enrollTestGateway(hq, store);
    for (let i = 0; i < 2; i += 1) processes.push(await startProcess(hq.service_url));
  });
  afterAll(async () => {
    for (const { end } of processes) end();
    await hq.close();
  });

  /** As a gateway does: the same bytes until HQ has answered for them. */
  async function deliver(url: string, body: Buffer): Promise<BatchAnswer> {
    const { authorization } = gateway;
    const { status, body: answer } = await eventually<Answer<BatchAnswer>>(
      async () => {
        const response = await fetch(`${url}/v1/batches`, {
          method: 'POST',
          headers: { authorization, 'content-encoding': 'gzip' },
          body: new Uint8Array(body),
        });
        return { status: response.status, body: (await response.json()) as BatchAnswer };
      },
      (answer) => answer.status !== 409,
    );
    expect(status).toBe(200);
    return answer;
  }

  it('count every reading once and answer alike, whichever of them a batch reaches', async () => {
    const range = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, i) => count(from + i));
    const bodies = [range(1, 400), range(300, 700), range(701, 1_000), range(650, 1_000)].map(
      (readings) => gzip(batch(gateway, readings)),
    );
    const answers = await Promise.all(
      bodies.flatMap((body) => processes.map(({ url }) => deliver(url, body))),
    );
    for (let i = 0; i < answers.length; i += 2) expect(answers[i + 1]).toEqual(answers[i]);
    expect(answers.flatMap(({ rejected }) => rejected)).toEqual([]);
    const accepted = new Map(answers.map((answer) => [answer.batch_id, answer.accepted]));
    expect([...accepted.values()].reduce((a, b) => a + b)).toBe(1_000);
    const [stored] = await hq.asOwner<{ rows: string; people: string }>(
      `select count(*) as rows, sum(in_count) as people from public.people_counting_raw
       where store_id = $1`,
      [store.store_id],
    );
    expect(stored).toMatchObject({ rows: 1_000, people: 3_000 });
    // Both roll up as well; an hour is what its raw rows say, whoever computed it.
    await eventually(
      () =>
        hq.asOwner<{ total: string }>(
          'select sum(total_in) as total from hourly_analytics where store_id = $1',
          [store.store_id],
        ),
      ([row]) => Number(row?.total) === 3_000,
    );
  });

  it('refuse a revoked gateway at once, also where its key was seen a moment ago', async () => {
    await deliver(processes[0]?.url ?? '', gzip(batch(gateway, [count(2_000)])));
    await hq.asOwner('update app.gateways set revoked_at = now() where id = $1', [
      gateway.gateway_id,
    ]);
    for (const { url } of processes) {
      const response = await fetch(`${url}/v1/batches`, {
        method: 'POST',
        headers: { authorization: gateway.authorization, 'content-encoding': 'gzip' },
        body: new Uint8Array(gzip(batch(gateway, [count(2_001)]))),
      });
      expect(response.status).toBe(401);
    }
  });
});
