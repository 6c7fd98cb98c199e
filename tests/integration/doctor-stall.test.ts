/** A queue that stands, as the doctor in the store sees it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, vi } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { Workspace } from '../support/workspace.ts';
import { clockAhead } from '../support/wrong-clock.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const minute = 60_000;

test('the doctor tells a queue that stands from one that drains', async () => {
  // A proxy that lets small requests through to HQ.
  const proxy = createServer(async (request, answer) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.url === '/livez') return answer.end('{"status":"ok"}');
    if (request.url !== '/v1/heartbeats') return answer.writeHead(413).end('<h1>Too Large</h1>');
    const { sent_at } = JSON.parse(Buffer.concat(chunks).toString()) as Heartbeat;
    return answer.end(JSON.stringify({ server_time: sent_at }));
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  workspace.onEnd(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  const { port } = proxy.address() as AddressInfo;
  const store = new DoctoredStore(workspace).sensors({ profile: 'json-crossing', topic: 'door' });
  await store.enrolled(`http://127.0.0.1:${port}`).listening();
  // Half an hour ago by the doctor's clock.
  await store.run({ environment: clockAhead(workspace.folder(), -30 * 60) });
  const at = new Date(systemClock.now() - 31 * minute).toISOString();
  await store.publish('door', { id: 1, at, direction: 'in' });
  await store.expectFirst('delivery_stalled', /1 readings, none for 30 min: HTTP 413/);
});
