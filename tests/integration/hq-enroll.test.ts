import { afterAll, beforeAll, expect, it } from 'vitest';
import { inviteGateway, revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import type { EnrollAnswer } from '../../shared/wire/enroll.ts';
import { errorBodySchema } from '../../shared/wire/error-body.ts';
import type { Hq, TestStore } from '../support/hq.ts';
import { addTestStore, batch, count, enrollTestGateway, newSecret, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

describeOnEngines('enrolment', (engine) => {
  let hq: Hq;
  let store: TestStore;
  beforeAll(async () => {
    hq = await openHq(engine);
    store = await addTestStore(hq, { timezone: 'Asia/Kolkata' });
  });
  afterAll(() => hq.close());

  const invite = (at_ms = Date.now()) =>
    inviteGateway(hq.db, store.organization, store.code, at_ms);
  const request = (token: string, secret_hash = newSecret().secret_hash) => ({
    token,
    secret_hash,
    name: 'store-pc',
    version: '0.1.0',
  });
  const codeOf = (body: unknown) => errorBodySchema.parse(body).error.code;

  it('gives a gateway its identity and says where it is', async () => {
    const { token } = await invite();
    const { status, body } = await hq.post<EnrollAnswer>('/v1/enroll', request(token));
    expect(status).toBe(200);
    expect(body).toMatchObject({
      organization: store.organization.slug,
      store: store.code,
      timezone: 'Asia/Kolkata',
    });
  });

  it('gives the same gateway again when the answer was lost', async () => {
    const once = request((await invite()).token);
    const first = await hq.post('/v1/enroll', once);
    const second = await hq.post('/v1/enroll', once);
    expect(second).toEqual(first);
  });

  it('refuses a used token to anybody else', async () => {
    const { token } = await invite();
    await hq.post('/v1/enroll', request(token));
    const { status, body } = await hq.post('/v1/enroll', request(token));
    expect([status, codeOf(body)]).toEqual([403, 'token_used']);
  });

  it('lets one of two gateways win that use a token at the same moment', async () => {
    const { token } = await invite();
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => hq.post('/v1/enroll', request(token))),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 403, 403, 403, 403, 403]);
    const gateways = await hq.asOwner(
      'select from app.enroll_tokens t join app.gateways g on g.id = t.gateway_id where t.token_hash = sha256($1)',
      [Buffer.from(token)],
    );
    expect(gateways).toHaveLength(1);
  });

  it('gives readings that wait to no other store, and the token stays good for its own', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const elsewhere = await addTestStore(hq, { organization: store.organization });
    const { token } = await inviteGateway(hq.db, store.organization, elsewhere.code, Date.now());
    const once = request(token);
    const moved = await hq.post('/v1/enroll', { ...once, instead_of: gateway.gateway_id });
    expect([moved.status, codeOf(moved.body)]).toEqual([403, 'token_of_another_store']);
    expect((await hq.post('/v1/enroll', once)).status).toBe(200);
  });

  it('refuses an expired token', async () => {
    const { token } = await invite(Date.now() - 25 * 3_600_000);
    const { status, body } = await hq.post('/v1/enroll', request(token));
    expect([status, codeOf(body)]).toEqual([403, 'token_expired']);
  });

  it('refuses a token it never gave out', async () => {
    const { status, body } = await hq.post('/v1/enroll', request(`fbt_${'A'.repeat(43)}`));
    expect([status, codeOf(body)]).toEqual([403, 'token_unknown']);
  });

  it('names the field of a request that is not one', async () => {
    const { status, body } = await hq.post('/v1/enroll', { ...request('fbt_short'), x: 1 });
    expect(status).toBe(400);
    expect(errorBodySchema.parse(body).error).toMatchObject({
      code: 'body_malformed',
      detail: expect.stringContaining('token'),
    });
  });

  it('keeps no token and no secret, only hashes', async () => {
    const { token } = await invite();
    await hq.post('/v1/enroll', request(token));
    const rows = await hq.asOwner('select t::text from app.enroll_tokens t');
    expect(JSON.stringify(rows)).not.toContain(token.slice(4));
  });

  it('refuses a revoked gateway from its next request on', async () => {
    const gateway = await enrollTestGateway(hq, store);
    expect((await gateway.send(batch(gateway, [count(1)]))).status).toBe(200);
    await revokeGateway(hq.db, store.organization, gateway.gateway_id);
    const refused = await gateway.send(batch(gateway, [count(2)]));
    expect([refused.status, codeOf(refused.body)]).toEqual([401, 'credential_refused']);
  });

  it('refuses a request without a credential, with half of one, or with another secret', async () => {
    const gateway = await enrollTestGateway(hq, store);
    const codes = [];
    for (const authorization of [
      '',
      'Bearer nonsense',
      gateway.authorization.slice(0, -1).concat('!'),
      gateway.authorization.slice(0, -4).concat('AAAA'),
    ]) {
      const { body, status } = await gateway.send(batch(gateway, [count(9)]), { authorization });
      codes.push([status, codeOf(body)]);
    }
    expect(codes).toEqual([
      [401, 'credential_missing'],
      [401, 'credential_missing'],
      [401, 'credential_missing'],
      [401, 'credential_refused'],
    ]);
  });
});
