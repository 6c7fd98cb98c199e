/** Tokens and keys used at the wrong moment: by a second too late, a month later, in the middle of a drain. */
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { inviteGateway, revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import { requestRotation } from '../../cloud-sync/gateways/rotate.ts';
import { hashOfSecret, newSecret } from '../../gateway/sync/credential.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { RotateAnswer } from '../../shared/wire/credential.ts';
import { errorBodySchema } from '../../shared/wire/error-body.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, enrollTestGateway, gzip, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

describeOnEngines('HQ refuses', (engine) => {
  let hq: Hq;
  let store: TestStore;
  let ahead_ms = 0;
  beforeAll(async () => {
    const clock = { ...systemClock, now: () => systemClock.now() + ahead_ms };
    hq = await openHq(engine, { clock });
    store = await addTestStore(hq);
  });
  afterAll(() => hq.close());

  it('a token from the second on in which it expires, and takes it in the one before', async () => {
    const invited_at = systemClock.now();
    const enrol = async (after_ms: number) => {
      const { token } = await inviteGateway(hq.db, store.organization, store.code, invited_at);
      ahead_ms = after_ms - (systemClock.now() - invited_at);
      const secret_hash = hashOfSecret(newSecret());
      const request = { token, secret_hash, name: 'store-pc', version: '0.1.0' };
      const { status, body } = await hq.post('/v1/enroll', request);
      ahead_ms = 0;
      return status === 200 ? 'taken' : errorBodySchema.parse(body).error.code;
    };
    const day_ms = 24 * 3_600_000;
    // The request itself takes a moment.
    expect(await enrol(day_ms - 5_000)).toBe('taken');
    expect(await enrol(day_ms)).toBe('token_expired');
  });

  it('nothing of a gateway that was away for a month while two new keys were asked of it', async () => {
    const gateway = await enrollTestGateway(hq, store);
    await requestRotation(hq.db, store.organization, gateway.gateway_id);
    await requestRotation(hq.db, store.organization, gateway.gateway_id);
    await hq.asOwner(
      `with key as (update app.gateway_credentials set created_at = now() - interval '40 days'
         where gateway_id = $1)
       update app.gateways set rotation_requested_at = now() - interval '31 days' where id = $1`,
      [gateway.gateway_id],
    );
    expect((await gateway.send(batch(gateway, [count(1)]))).status).toBe(200);
    const secret = newSecret();
    const { body } = await hq.post<RotateAnswer>(
      '/v1/credentials',
      { secret_hash: hashOfSecret(secret) },
      { authorization: gateway.authorization },
    );
    // The power fails before the answer is on disk: the old key is still good.
    expect((await gateway.send(batch(gateway, [count(2)]))).status).toBe(200);
    const authorization = `Bearer fbg_${body.credential_id}_${secret}`;
    expect((await gateway.send(batch(gateway, [count(3)]), { authorization })).status).toBe(200);
  });

  it('the next batch on a connection that is kept open, once the gateway is revoked', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    workspace.onEnd(() => agent.destroy());
    const first = await sendOver(agent, gateway, 11);
    await revokeGateway(hq.db, store.organization, gateway.gateway_id);
    const second = await sendOver(agent, gateway, 12);
    expect([first.status, second.status]).toEqual([200, 401]);
    expect(second.port).toBe(first.port);
  });

  it('or stores whole what was under way in the moment in which it is revoked', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const agent = new http.Agent({ keepAlive: true });
    workspace.onEnd(() => agent.destroy());
    const sequences = Array.from({ length: 24 }, (_, i) => 101 + i);
    const sent = sequences.map((sequence) => sendOver(agent, gateway, sequence));
    await sent[0];
    await revokeGateway(hq.db, store.organization, gateway.gateway_id);
    const after = await sendOver(agent, gateway, 200);
    expect(after.status).toBe(401);
    const statuses = (await Promise.all(sent)).map(({ status }) => status);
    expect(statuses.every((status) => status === 200 || status === 401)).toBe(true);
    const stored = await hq.asOwner<{ gateway_sequence: number }>(
      'select gateway_sequence from people_counting_raw where gateway_id = $1 order by 1',
      [gateway.gateway_id],
    );
    expect(stored.map((row) => row.gateway_sequence)).toEqual(
      sequences.filter((_, i) => statuses[i] === 200),
    );
  });

  async function sendOver(agent: http.Agent, gateway: TestGateway, sequence: number) {
    const { authorization } = gateway;
    const headers = {
      authorization,
      'content-encoding': 'gzip',
      'content-type': 'application/json',
    };
    const asked = http.request(`${hq.url}/v1/batches`, { method: 'POST', agent, headers });
    asked.end(gzip(batch(gateway, [count(sequence)])));
    const answer = await new Promise<http.IncomingMessage>((resolve, reject) => {
      asked.on('response', resolve).on('error', reject);
    });
    const port = asked.socket?.localPort;
    await text(answer);
    return { status: answer.statusCode ?? 0, port };
  }
});
