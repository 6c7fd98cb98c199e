import { once } from 'node:events';
import { createServer } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Access, secretHash } from '../../gateway/sources/access.ts';
import { type HttpListenOptions, HttpListenSource } from '../../gateway/sources/http-listen.ts';
import { listenTls } from '../../gateway/sources/tls.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { certificates } from '../support/certificates.ts';
import { openssl, testWith } from '../support/debian-part.ts';
import { collectFrames, eventually } from '../support/frames.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

async function listen(options: Partial<HttpListenOptions> = {}) {
  const log = collectFrames();
  const source = new HttpListenSource({
    name: 'push',
    host: '127.0.0.1',
    port: 0,
    accept: log.accept,
    clock: systemClock,
    log: silentLog,
    ...options,
  });
  await source.start();
  workspace.onEnd(() => source.stop());
  await eventually('listening', () => source.status().state === 'running');
  const post = (path: string, body: string | Buffer, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${source.port}${path}`, { method: 'POST', body, headers });
  const texts = () => log.frames.map((frame) => Buffer.from(frame.bytes).toString('latin1'));
  return { source, post, texts, frames: log.frames };
}

const jpeg = Buffer.concat([Buffer.from('ffd8ffe000104a464946', 'hex'), Buffer.alloc(5000, 0x5a)]);
const count =
  '<EventNotificationAlert><peopleCounting><enter>3</enter></peopleCounting></EventNotificationAlert>';

/** A body as RFC 2046 has it, and as the multipart pushes of cameras are. */
function multipart(boundary: string, ...parts: [headers: string, content: Buffer | string][]) {
  return Buffer.concat([
    ...parts.flatMap(([headers, content]) => [
      Buffer.from(`--${boundary}\r\n${headers}\r\n\r\n`),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${boundary}--\r\n`),
  ]);
}

describe('what a device pushes', () => {
  test('the answer waits for the commit', async () => {
    let commit = () => {};
    const { source, post } = await listen({
      accept: () =>
        new Promise((resolve) => {
          commit = resolve;
        }),
    });
    let answered = 0;
    const answer = post('/door', '{"in":1}').then((response) => {
      answered = response.status;
    });
    await eventually('the frame arrives', () => source.status().frames === 1);
    await systemClock.sleep(100);
    expect(answered).toBe(0);
    commit();
    await answer;
    expect(answered).toBe(200);
  });

  test.each([
    ['application/json', '{"in": 3}'],
    ['application/xml; charset="UTF-8"', count],
    ['application/x-www-form-urlencoded', 'in=3&out=1'],
    ['multipart/form-data, nonsense', ''],
  ])('a body of type %s arrives as it was sent, under its path', async (type, body) => {
    const { post, frames, texts } = await listen();
    const answer = await post('/counters/door?x=1', body || 'no boundary', {
      'content-type': type,
    });
    expect(answer.status).toBe(200);
    expect(frames[0]?.address).toBe('/counters/door');
    if (body !== '') expect(texts()).toEqual([body]);
    else expect(frames[0]?.fault?.reason).toBe('unreadable');
  });

  test('a compressed body arrives as text', async () => {
    const { post, texts } = await listen();
    await post('/door', gzipSync('{"in":3}'), { 'content-encoding': 'gzip' });
    expect(texts()).toEqual(['{"in":3}']);
  });

  test('a bomb of zeros is a fault, not an empty memory', async () => {
    const { post, frames } = await listen();
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect((await post('/door', bomb, { 'content-encoding': 'gzip' })).status).toBe(200);
    expect(frames[0]?.fault?.reason).toBe('unreadable');
  });

  test.each([
    ['multipart/form-data; boundary=MIME_boundary', 'Content-Type: image/jpeg'],
    ['multipart/form-data, boundary="MIME_boundary"', 'Content-Type: image/pjpeg; charset=binary'],
    ['multipart/mixed; boundary=MIME_boundary', 'Content-Type: application/octet-stream'],
    [
      'multipart/form-data; boundary=MIME_boundary',
      'Content-Disposition: form-data; name="p"; filename="face.JPG"',
    ],
  ])('a picture beside the count is dropped: %s, %s', async (type, header) => {
    const { post, texts } = await listen();
    const body = multipart(
      'MIME_boundary',
      ['Content-Disposition: form-data; name="c"\r\nContent-Type: application/xml', count],
      [header, jpeg],
    );
    expect((await post('/camera', body, { 'content-type': type })).status).toBe(200);
    expect(texts()).toEqual([count]);
  });

  test('a text that begins like the name of a picture is a count', async () => {
    const { post, texts } = await listen();
    const body = multipart(
      'b',
      ['Content-Type: text/csv', 'BM-1;3;1'],
      ['Content-Type: text/csv', 'RIFFA;1;2'],
    );
    await post('/camera', body, { 'content-type': 'multipart/mixed; boundary=b' });
    expect(texts()).toEqual(['BM-1;3;1', 'RIFFA;1;2']);
  });

  test('nothing but pictures is a fault that keeps none of their bytes', async () => {
    const { post, frames } = await listen();
    const body = multipart('b', ['Content-Type: image/jpeg', jpeg]);
    await post('/camera', body, { 'content-type': 'multipart/mixed; boundary=b' });
    await post('/camera', jpeg, { 'content-type': 'image/jpeg' });
    expect(frames.map((frame) => [frame.fault?.reason, frame.bytes.length])).toEqual([
      ['unreadable', 0],
      ['unreadable', 0],
    ]);
    expect(frames[0]?.fault?.detail).toContain(`image/jpeg, ${jpeg.length} bytes`);
  });

  test('a multipart that was cut off is a fault', async () => {
    const { post, frames } = await listen();
    const body = multipart('b', ['Content-Type: text/plain', '{"in":3}']).subarray(0, 40);
    await post('/camera', body, { 'content-type': 'multipart/mixed; boundary=b' });
    expect(frames[0]?.fault?.reason).toBe('unreadable');
  });

  test('a body of nine megabytes is refused and leaves a trace; the source goes on', async () => {
    const { post, frames } = await listen();
    const answer = await post('/door', Buffer.alloc(9 * 1024 * 1024)).catch(() => null);
    expect(answer?.status ?? 413).toBe(413);
    await eventually('the trace', () => frames.length === 1);
    expect(frames[0]?.fault?.reason).toBe('too_large');
    expect((await post('/door', 'small')).status).toBe(200);
  });

  test('a device that names itself in its request has an address of its own', async () => {
    const { post, frames } = await listen({ device_id: 'query:serial' });
    await post('/push?serial=00:16', '1');
    await post('/push', '2');
    expect(frames.map((frame) => frame.address)).toEqual(['device/00:16', '/push']);
  });

  test('a device without a Host header is served', async () => {
    const { source, texts } = await listen();
    const socket = connect(source.port, '127.0.0.1');
    socket.write('POST /door HTTP/1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi');
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 200 /);
    expect(texts()).toEqual(['hi']);
  });

  test('a question is no count', async () => {
    const { source, frames } = await listen();
    expect((await fetch(`http://127.0.0.1:${source.port}/door`)).status).toBe(405);
    expect(frames).toEqual([]);
  });

  test('a device that hangs up in the middle of a body leaves nothing', async () => {
    const { source, frames, post } = await listen();
    const socket = connect(source.port, '127.0.0.1');
    socket.write('POST /door HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"in":');
    await systemClock.sleep(50);
    socket.destroy();
    await post('/door', 'whole');
    expect(frames).toHaveLength(1);
  });

  test('a taken port is a state of this source, not the end of the gateway', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    workspace.onEnd(() => other.close());
    const source = new HttpListenSource({
      name: 'push',
      host: '127.0.0.1',
      port,
      accept: async () => {},
      clock: systemClock,
      log: silentLog,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('it says so', () => source.status().state === 'failing');
    expect(source.status().error).toContain('EADDRINUSE');
  });
});

describe('a sensor with a login of its own', () => {
  const login = { username: 'door', secret_sha256: secretHash('s3cret'), addresses: ['/door'] };
  const basic = (name: string, secret: string) => ({
    authorization: `Basic ${Buffer.from(`${name}:${secret}`).toString('base64')}`,
  });

  test.each([
    ['Basic', '/door', basic('door', 's3cret'), 200],
    ['Bearer', '/door', { authorization: 'Bearer s3cret' }, 200],
    ['a key in the address', '/door?key=s3cret', {}, 200],
    ['a wrong secret', '/door', basic('door', 'guess'), 401],
    ['no secret', '/door', {}, 401],
    ['a stranger’s name', '/door', basic('window', 's3cret'), 401],
    ['another sensor’s address', '/window', basic('door', 's3cret'), 401],
    ['an address that nobody holds, without a login', '/window', {}, 200],
  ])('%s', async (_what, path, headers, status) => {
    const { source, post, frames } = await listen();
    source.setLogins([login]);
    expect((await post(path, '1', headers as Record<string, string>)).status).toBe(status);
    expect(frames).toHaveLength(status === 200 ? 1 : 0);
    expect(source.status().refused).toBe(status === 200 ? 0 : 1);
  });

  test('where strangers may not speak, only logins do', async () => {
    const access = new Access({ allow_anonymous: false, users: [] });
    const { source, post } = await listen({ access });
    source.setLogins([login]);
    expect((await post('/window', '1')).status).toBe(401);
    expect((await post('/door', '1', basic('door', 's3cret'))).status).toBe(200);
    expect(source.status().last_refusal).toContain('/window');
  });
});

testWith(openssl, 'over TLS a device’s certificate is its login', async () => {
  const made = certificates(workspace.folder(), 'door', 'window');
  const tls = () =>
    listenTls('push', {
      cert_file: made.server.cert,
      key_file: made.server.key,
      client_ca_file: made.authority,
    });
  const access = new Access({ allow_anonymous: false, users: [] });
  const { source, frames } = await listen({ tls, access });
  source.setLogins([{ username: 'door', secret_sha256: '', addresses: ['/door'] }]);
  const push = async (client: object): Promise<number | string> => {
    const sent = tlsRequest({
      host: '127.0.0.1',
      port: source.port,
      path: '/door',
      method: 'POST',
      ...made.trust,
      ...client,
    });
    sent.end('1');
    const answer = once(sent, 'response').then(([response]) => response.statusCode as number);
    return answer.catch(() => 'no connection');
  };
  expect(await push(made.client('door'))).toBe(200);
  expect(await push(made.client('window'))).toBe(401);
  expect(await push({})).toBe('no connection');
  expect(frames).toHaveLength(1);
});
