import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { expect, test } from 'vitest';
import { HqClient } from '../../gateway/sync/hq-client.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { certificates } from '../support/certificates.ts';
import { openssl, testWith } from '../support/debian-part.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

interface Seen {
  readonly body: string;
  readonly authorization: string | undefined;
  readonly client: string | null;
}

/** Answers every request with 200 and remembers it. */
async function hqServer(tls?: https.ServerOptions): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const answer: http.RequestListener = async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const peer = (request.socket as TLSSocket).getPeerCertificate?.();
    seen.push({
      body: Buffer.concat(chunks).toString(),
      authorization: request.headers.authorization,
      client: peer?.subject?.CN?.toString() ?? null,
    });
    response.end('good');
  };
  const server = tls === undefined ? http.createServer(answer) : https.createServer(tls, answer);
  const port = await listen(server);
  return { url: `${tls === undefined ? 'http' : 'https'}://localhost:${port}`, seen };
}

/** An HTTP proxy that knows nothing but CONNECT, as many shops have it. */
async function proxyServer(login?: string): Promise<{ url: string; asked: string[] }> {
  const asked: string[] = [];
  const server = http.createServer((_request, response) => response.writeHead(405).end());
  server.on('connect', (request, near: Socket, head) => {
    near.on('error', () => {});
    const expected = `Basic ${Buffer.from(login ?? '').toString('base64')}`;
    if (login !== undefined && request.headers['proxy-authorization'] !== expected) {
      near.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    asked.push(request.url ?? '');
    const far = connect(Number(new URL(`http://${request.url}`).port), '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      far.write(head);
      near.pipe(far).pipe(near);
    });
    far.on('error', () => near.destroy());
  });
  return { url: `http://127.0.0.1:${await listen(server)}`, asked };
}

async function listen(server: http.Server): Promise<number> {
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

function client(url: string, options: ConstructorParameters<typeof HqClient>[2]): HqClient {
  const made = new HqClient(url.replace('localhost', '127.0.0.1'), systemClock, options);
  workspace.onEnd(() => made.close());
  return made;
}

const hello = { path: '/v1/heartbeats', body: '{}', authorization: 'Bearer fbg_secret' } as const;

testWith(
  openssl,
  'HQ’s certificate of a private authority is trusted when it is named, and only then',
  async () => {
    const made = certificates(workspace.folder());
    const key = readFileSync(made.server.key);
    const hq = await hqServer({ cert: readFileSync(made.server.cert), key });
    const trusting = client(hq.url, { ca_file: made.authority });
    expect(await trusting.post(hello)).toMatchObject({ status: 200, body: 'good' });
    await expect(client(hq.url, {}).post(hello)).rejects.toMatchObject({ code: 'hq_unreachable' });
    expect(hq.seen).toHaveLength(1);
  },
);

testWith(openssl, 'a gateway shows its own certificate where HQ asks for one', async () => {
  const folder = workspace.folder();
  const made = certificates(folder, 'store-7');
  const hq = await hqServer({
    cert: readFileSync(made.server.cert),
    key: readFileSync(made.server.key),
    ...made.trust,
    requestCert: true,
    rejectUnauthorized: true,
  });
  const [cert_file, key_file] = [join(folder, 'store-7.pem'), join(folder, 'store-7.key')];
  await client(hq.url, { ca_file: made.authority, cert_file, key_file }).post(hello);
  expect(hq.seen[0]?.client).toBe('store-7');
  const nameless = client(hq.url, { ca_file: made.authority });
  await expect(nameless.post(hello)).rejects.toMatchObject({ code: 'hq_unreachable' });
});

testWith(
  openssl,
  'through a proxy TLS goes to HQ itself, and the proxy sees no credential',
  async () => {
    const folder = workspace.folder();
    const made = certificates(folder);
    const hq = await hqServer({
      cert: readFileSync(made.server.cert),
      key: readFileSync(made.server.key),
    });
    const proxy = await proxyServer('shop:pass word');
    const password_file = join(folder, 'password');
    writeFileSync(password_file, 'pass word\n');
    const options = {
      ca_file: made.authority,
      proxy: { url: proxy.url, username: 'shop', password_file },
    };
    const through = client(hq.url, options);
    await through.post(hello);
    await through.post(hello);
    expect(hq.seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer fbg_secret',
      'Bearer fbg_secret',
    ]);
    // The second request used the connection of the first.
    expect(proxy.asked).toEqual([new URL(hq.url.replace('localhost', '127.0.0.1')).host]);
  },
);

test('a proxy that refuses says so in the reason', async () => {
  const hq = await hqServer();
  const proxy = await proxyServer('shop:right');
  const refused = client(hq.url, { proxy: { url: proxy.url } }).post(hello);
  await expect(refused).rejects.toMatchObject({
    code: 'hq_unreachable',
    detail: expect.stringContaining('HTTP 407'),
  });
});

test('an upload limit holds for all requests together', async () => {
  const hq = await hqServer();
  const slow = client(hq.url, { upload_bytes_per_s: 40_000 });
  const body = 'x'.repeat(10_000);
  const start = systemClock.monotonic();
  await Promise.all([slow.post({ ...hello, body }), slow.post({ ...hello, body })]);
  // 20,000 bytes; the last kilobyte of each leaves at once.
  expect(systemClock.monotonic() - start).toBeGreaterThan(400);
  expect(hq.seen.map((one) => one.body.length)).toEqual([10_000, 10_000]);
});

test('a redirect is an answer, and nobody follows it with the credential', async () => {
  const hq = await hqServer();
  const portal = http.createServer((_request, response) =>
    response.writeHead(307, { location: `${hq.url}/v1/batches` }).end(),
  );
  const answer = await client(`http://127.0.0.1:${await listen(portal)}`, {}).post(hello);
  expect(answer.status).toBe(307);
  expect(hq.seen).toEqual([]);
});

test('an answer that ends early is no answer', async () => {
  const cut = http.createServer((_request, response) => {
    response.writeHead(200, { 'content-length': 100 });
    response.write('{"batch_id":');
    response.socket?.end();
  });
  const asked = client(`http://127.0.0.1:${await listen(cut)}`, {}).post(hello);
  await expect(asked).rejects.toMatchObject({ code: 'hq_unreachable' });
});
