import { randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import { requestRotation } from '../../cloud-sync/gateways/rotate.ts';
import type { Credential } from '../../gateway/sync/credential.ts';
import { HqClient } from '../../gateway/sync/hq-client.ts';
import { rotateKey } from '../../gateway/sync/rotate-key.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Hq, TestGateway, TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, enrollTestGateway, newSecret, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

function heartbeat(over: Partial<Heartbeat> = {}): Heartbeat {
  return {
    version: '0.1.0',
    epoch: randomUUID(),
    sent_at: Date.now(),
    buffered: 0,
    oldest_unsent_at: null,
    delivered_at: Date.now(),
    durability: 'fsync',
    sensors: [],
    sources: [],
    quarantined: [],
    ...over,
  };
}

describeOnEngines('keys of gateways', (engine) => {
  let hq: Hq;
  let store: TestStore;
  beforeAll(async () => {
    hq = await openHq(engine);
    store = await addTestStore(hq);
  });
  afterAll(() => hq.close());

  const beat = (authorization: string, over: Partial<Heartbeat> = {}) =>
    hq.post<HeartbeatAnswer>('/v1/heartbeats', heartbeat(over), { authorization });

  /** The gateway's credential as it stands in the store. */
  function credentialFile(gateway: TestGateway): { path: string; credential: Credential } {
    const { authorization, epoch: _epoch, send: _send, ...answer } = gateway;
    const secret = authorization.slice(authorization.lastIndexOf(`${answer.credential_id}_`) + 37);
    const credential = { ...answer, secret, hq_url: hq.url };
    const path = join(workspace.folder(), 'credential.json');
    writeFileSync(path, JSON.stringify(credential));
    return { path, credential };
  }
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Credential;
  const bearerOf = ({ credential_id, secret }: Credential) =>
    `Bearer fbg_${credential_id}_${secret}`;

  it('replaces a key without a moment in which none works', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const { path, credential } = credentialFile(gateway);
    expect((await beat(gateway.authorization)).body.rotate).toBe(false);
    await requestRotation(hq.db, store.organization, gateway.gateway_id);
    expect((await beat(gateway.authorization)).body.rotate).toBe(true);

    const client = new HqClient(hq.url, systemClock);
    workspace.onEnd(() => client.close());
    await rotateKey({ client, credential, credential_path: path });
    const young = read(path);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(young.credential_id).not.toBe(credential.credential_id);
    // The old one lives until the new one is used.
    expect((await gateway.send(batch(gateway, [count(1)]))).status).toBe(200);
    expect((await beat(bearerOf(young))).body.rotate).toBe(false);
    expect((await gateway.send(batch(gateway, [count(2)]))).status).toBe(401);
    expect((await beat(gateway.authorization)).status).toBe(401);
  });

  it('gives the same credential when the answer to a new key was lost', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const { secret_hash } = newSecret();
    const ask = () =>
      hq.post('/v1/credentials', { secret_hash }, { authorization: gateway.authorization });
    expect(await ask()).toEqual(await ask());
  });

  it('refuses a revoked gateway from its next request on, and gives it no new key', async () => {
    const gateway = await enrollTestGateway(hq, store);
    expect((await gateway.send(batch(gateway, [count(11)]))).status).toBe(200);
    await revokeGateway(hq.db, store.organization, gateway.gateway_id);
    expect((await gateway.send(batch(gateway, [count(12)]))).status).toBe(401);
    const { secret_hash } = newSecret();
    const { authorization } = gateway;
    const asked = await hq.post('/v1/credentials', { secret_hash }, { authorization });
    expect(asked.status).toBe(401);
  });

  it('sees that a disk was copied: two machines speak with one credential', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const [original, copy] = [randomUUID(), randomUUID()];
    const start = Date.now();
    const cloned = async () => {
      const [row] = await hq.asOwner<{ cloned_at: Date | null }>(
        'select cloned_at from app.gateway_state where gateway_id = $1',
        [gateway.gateway_id],
      );
      return row?.cloned_at ?? null;
    };
    const speaks = (instance: string, after_s: number) =>
      beat(gateway.authorization, { instance, sent_at: start + after_s * 1000 });
    await speaks(original, 0);
    await speaks(original, 60);
    await speaks(copy, 70);
    // As after any restart.
    expect(await cloned()).toBeNull();
    // One that was long on its way is no sign of life.
    await speaks(original, 65);
    expect(await cloned()).toBeNull();
    await speaks(original, 120);
    expect(await cloned()).not.toBeNull();
  });
});
