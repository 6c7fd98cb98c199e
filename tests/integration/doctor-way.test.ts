/** The doctor asks HQ by the way that the readings take, and waits for no answer longer than a person does. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, test, vi } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

async function portOf(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A store that reaches HQ, whose name only the proxy knows, with a reading on its way. */
async function behind(proxy: number, hq_url = 'http://hq.invalid'): Promise<DoctoredStore> {
  const store = new DoctoredStore(workspace).enrolled(hq_url);
  store.sensors({ profile: 'json-crossing', topic: 'door' });
  const hq = proxy === 0 ? {} : { proxy: { url: `http://127.0.0.1:${proxy}` } };
  await store.listening({}, { hq });
  await store.run();
  const time = new Date().toISOString();
  await store.publish('door', { id: 1, time, direction: 'in' });
  return store;
}

test('an HQ with a fault behind the proxy of the configuration', async () => {
  const hq = await portOf(createServer((_request, answer) => answer.writeHead(503).end()));
  const proxy = createServer().on('connect', (_request, socket) => {
    const line = connect(hq, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    line
      .on('error', () => {})
      .pipe(socket.on('error', () => {}))
      .pipe(line);
  });
  const store = await behind(await portOf(proxy));
  await store.expectFirst('hq_failing', /hq\.invalid answers 503/);
});

test('a proxy of the configuration that wants a login', async () => {
  const proxy = createServer().on('connect', (_request, socket) => {
    socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  });
  const store = await behind(await portOf(proxy));
  await store.expectFirst('proxy_between', /answered HTTP 407/);
});

test('an answer that comes drop by drop is given up after seconds', async () => {
  const drop_ms = 200;
  const hq = createServer((_request, answer) => {
    answer.writeHead(200);
    const drop = () => {
      answer.write(' ');
      if (!answer.destroyed) systemClock.after(drop_ms, drop);
    };
    drop();
  });
  const port = await portOf(hq);
  const { probeHq } = await import('../../gateway/doctor/hq-probe.ts');
  const from = systemClock.monotonic();
  const told = await probeHq(`http://127.0.0.1:${port}`, {}, systemClock);
  expect(told).toMatchObject({ kind: 'failed', error: 'no answer in 8 s' });
  expect(systemClock.monotonic() - from).toBeLessThan(20_000);
});
