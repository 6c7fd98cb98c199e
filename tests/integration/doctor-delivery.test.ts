import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { inviteGateway, revokeGateway } from '../../cloud-sync/gateways/registry.ts';
import { readCredential } from '../../gateway/sync/credential.ts';
import { enroll } from '../../gateway/sync/enroll.ts';
import { HqClient } from '../../gateway/sync/hq-client.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { certificates } from '../support/certificates.ts';
import { openssl, testWith } from '../support/debian-part.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { addTestStore, type Hq, openHq, type TestStore } from '../support/hq.ts';
import { engines } from '../support/postgres.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const [embedded] = engines;
if (embedded === undefined) throw new Error('no engine');

async function storeAt(hq_url: string | null): Promise<DoctoredStore> {
  const made = new DoctoredStore(workspace).sensors({ profile: 'json-interval', topic: 'door' });
  if (hq_url !== null) made.enrolled(hq_url);
  return made.listening();
}

/** A running store with a reading that wants to go to HQ. */
async function counting(hq_url: string | null, environment: NodeJS.ProcessEnv = {}) {
  const made = await storeAt(hq_url);
  await made.run({ environment });
  await count(made);
  return made;
}

let messages = 0;

async function count(made: DoctoredStore): Promise<void> {
  messages += 1;
  const to = systemClock.now();
  const time = (at: number) => new Date(at).toISOString();
  await made.publish('door', {
    id: messages,
    from: time(to - 60_000),
    to: time(to),
    in: 3,
    out: 1,
  });
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  return (server.address() as AddressInfo).port;
}

const answering = async (answer: RequestListener) =>
  `http://127.0.0.1:${await listen(createHttpServer(answer))}`;

test('a gateway that was never enrolled', async () => {
  const made = await counting(null);
  await made.expectFirst('not_enrolled', /[1-9]\d* readings wait/);
});

test('a credential file that is damaged', async () => {
  const made = await storeAt('http://127.0.0.1:9');
  writeFileSync(join(made.data, 'credential.json'), '{"hq_url":');
  await made.run();
  await made.expectFirst('credential_broken', /credential\.json is damaged/);
});

test('an HQ whose name nobody knows', async () => {
  const made = await counting('http://hq.invalid:8480');
  await made.expectFirst('hq_unknown', /hq\.invalid.*(ENOTFOUND|EAI_AGAIN)/);
});

test('an HQ whose machine answers and whose service does not', async () => {
  const made = await counting(`http://127.0.0.1:${await freePort()}`);
  await made.expectFirst('hq_refuses', /ECONNREFUSED/);
});

test('a line that breaks off', async () => {
  const port = await listen(createServer((socket) => socket.resetAndDestroy()));
  const made = await counting(`http://127.0.0.1:${port}`);
  await made.expectFirst('hq_away', /ECONNRESET|other side closed/);
});

test('a network that lets nobody out but through its proxy', async () => {
  const made = await counting(`http://127.0.0.1:${await freePort()}`);
  const environment = { HTTPS_PROXY: 'http://proxy.store:3128' };
  await made.expectFirst('proxy_between', /proxy\.store:3128/, { environment });
});

test('a proxy that asks for a login', async () => {
  const made = await counting(
    await answering((_request, answer) => {
      answer.writeHead(407, { via: '1.1 squid.store', 'proxy-authenticate': 'Basic' }).end();
    }),
  );
  await made.expectFirst('proxy_between', /answers 407 by 1\.1 squid\.store/);
});

test('a login page in HQ’s place', async () => {
  const made = await counting(
    await answering((_request, answer) => answer.end('<html>Welcome to our guest network</html>')),
  );
  await made.expectFirst('portal_between', /answers 200/);
});

test('an HQ behind a proxy that cannot reach it', async () => {
  const made = await counting(await answering((_request, answer) => answer.writeHead(502).end()));
  await made.expectFirst('hq_failing', /answers 502/);
});

testWith(
  openssl,
  'HQ’s certificate: expired, early, misnamed, of an authority nobody knows',
  async () => {
    const folder = workspace.folder();
    const made = certificates(folder);
    const cases = [
      ['certificate_expired', made.dated('old', -30, -3, 'IP:127.0.0.1')],
      ['certificate_early', made.dated('early', 3, 30, 'IP:127.0.0.1')],
      ['certificate_misnamed', made.dated('other', -3, 30, 'DNS:elsewhere.example')],
      ['certificate_untrusted', certificates(workspace.folder()).server],
    ] as const;
    for (const [code, { cert, key }] of cases) {
      const options = { cert: readFileSync(cert), key: readFileSync(key) };
      const port = await listen(createHttpsServer(options, (_request, answer) => answer.end()));
      const environment = { NODE_EXTRA_CA_CERTS: made.authority };
      const store = await counting(`https://127.0.0.1:${port}`, environment);
      await store.expectFirst(code, /https:\/\/127/, { environment });
    }
  },
  90_000,
);

test('a black hole of a network is told within a minute', async () => {
  // Accepts and never says a word, as firewalls do; the broker of the store as well.
  const port = await listen(createServer(() => {}));
  const made = new DoctoredStore(workspace).enrolled(`http://127.0.0.1:${port}`);
  const door = { kind: 'mqtt-connect', url: `mqtt://127.0.0.1:${port}`, name: 'building' };
  made.configure({ sources: [door, { kind: 'modbus-tcp', host: '127.0.0.1', port, name: 'bus' }] });
  made.sensors({ source: 'bus', profile: 'modbus-counter-16', unit: 1, register: 0 });
  await made.run();
  const from = systemClock.monotonic();
  const { lines } = await made.doctor();
  expect(systemClock.monotonic() - from).toBeLessThan(60_000);
  expect(lines.length).toBeGreaterThan(3);
});

/** HQ's own clock is right, ours is two hours behind: what the gateway sees is the difference. */
const two_hours_ms = 2 * 60 * 60 * 1000;
const ahead: Clock = { ...systemClock, now: () => systemClock.now() + two_hours_ms };

async function enrolledAt(hq: Hq, store: TestStore): Promise<DoctoredStore> {
  const made = await storeAt(null);
  const { token } = await inviteGateway(hq.db, store.organization, store.code, systemClock.now());
  await enroll({
    ...{ client: new HqClient(hq.url, systemClock), hq_url: hq.url, token },
    ...{ name: 'store-pc', version: '0.1.0', credential_path: join(made.data, 'credential.json') },
  });
  await made.run();
  return made;
}

async function realHq(clock = systemClock): Promise<Hq> {
  const hq = await openHq(embedded as (typeof engines)[number], { clock });
  workspace.onEnd(() => hq.close());
  return hq;
}

test('a real HQ: a store that is well, in another time zone, and revoked', async () => {
  const hq = await realHq();
  const store = await addTestStore(hq, { timezone: 'Europe/Madrid' });
  const made = await enrolledAt(hq, store);
  await count(made);
  const { lines } = await made.doctor({ environment: { TZ: 'Europe/Madrid' } });
  expect(lines[0]).toMatch(/^good/);
  const environment = { TZ: 'America/New_York' };
  await made.expectFirst('zone_differs', /America\/New_York here, Europe\/Madrid/, { environment });

  const { gateway_id } = readCredential(join(made.data, 'credential.json'));
  await revokeGateway(hq.db, store.organization, gateway_id);
  await count(made);
  await made.expectFirst('credential_revoked', /HTTP 401/);
}, 60_000);

test('a real HQ whose clock differs from ours by two hours', async () => {
  const hq = await realHq(ahead);
  const made = await enrolledAt(hq, await addTestStore(hq));
  await made.expectFirst('clock_wrong', /72\d\d s behind HQ/);
}, 60_000);
