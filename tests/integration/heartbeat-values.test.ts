/** What a running gateway says about itself, and what HQ has of it then: value by value. */
import { X509Certificate } from 'node:crypto';
import { readFileSync, statfsSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, vi } from 'vitest';
import { listGateways } from '../../cloud-sync/gateways/registry.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { root } from '../rules/sources.ts';
import { certificates } from '../support/certificates.ts';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { openssl, testWith } from '../support/debian-part.ts';
import { addTestStore, eventually, type Hq, noon, openHq, type TestStore } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
let hq: Hq;
let store: TestStore;
beforeAll(async () => {
  hq = await openHq(anyEngine);
  store = await addTestStore(hq);
});
afterAll(() => hq.close());

/** A line on which batches get no further than a proxy, and everything else passes. */
async function lineWithoutBatches(): Promise<string> {
  const { port } = new URL(hq.url);
  const server = http.createServer((request, answer) => {
    if (request.url === '/v1/batches') {
      answer.writeHead(503).end();
      return;
    }
    const { method, url: path, headers } = request;
    const asked = http.request({ port, method, path, headers }, (told) => {
      answer.writeHead(told.statusCode ?? 0, told.headers);
      told.pipe(answer);
    });
    request.pipe(asked);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const hall = {
  ...{ sensor_id: 'hall', name: 'Hall', profile: 'zigbee2mqtt-zone' },
  topic: 'zigbee2mqtt/hall',
};
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

testWith(openssl, 'each value of a heartbeat is HQ’s value', async () => {
  const made = certificates(workspace.folder());
  const hq_url = await lineWithoutBatches();
  const daemon = await DaemonAtHq.at(hq, store, workspace, { hq_url, sensors: [hall] });
  const tls = { cert_file: made.server.cert, key_file: made.server.key };
  daemon.configure({}, [
    { name: 'cameras', kind: 'http-listen', host: '127.0.0.1', port: await freePort(), tls },
    { name: 'building', kind: 'mqtt-connect', url: `mqtt://127.0.0.1:${await freePort()}` },
  ]);
  const certificate = new X509Certificate(readFileSync(made.server.cert));
  const before = systemClock.now();
  await daemon.start();
  await daemon.count(3, 9);
  await daemon.publish('zigbee2mqtt/hall', '{"people": 2, "battery": 12, "battery_low": true}');
  await daemon.publish('zigbee2mqtt/hall/availability', '{"state": "offline"}');
  for (let i = 0; i < 3; i += 1) await daemon.publish('door', 'no JSON');
  const status = await daemon.until('all of it', ({ buffer, sources }) => {
    const isFailing = sources.some(({ state }) => state === 'failing');
    return buffer.buffered === 8 && buffer.quarantined.length > 0 && isFailing;
  });
  const seen = status.now;

  const of = [daemon.gateway_id];
  const state = async () => {
    const [row] = await hq.asOwner<Record<string, unknown> & { sent_at: Date; heartbeat_at: Date }>(
      'select * from app.gateway_state where gateway_id = $1 and sent_at > to_timestamp($2::float8 / 1000)',
      [...of, seen],
    );
    return row;
  };
  const row = await eventually(state, (found) => found !== undefined);
  expect(row).toMatchObject({
    version,
    epoch: status.buffer.epoch,
    buffered: 8,
    settled_sequence: 0,
    oldest_unsent_at: new Date(noon + 3 * 60_000),
    delivered_at: new Date(status.buffer.oldest_unsent_received_at ?? 0),
    durability: 'fsync',
    sources: [
      { source: 'sensors', state: 'running', error: null },
      { source: 'cameras', state: 'running', error: null },
      { source: 'building', state: 'failing', error: expect.stringContaining('ECONNREFUSED') },
    ],
    certificates: [{ name: 'cameras', expires_at: Date.parse(certificate.validTo) }],
    configuration_version: 0,
    configuration_refused: null,
  });
  // Both clocks are this machine's.
  expect(Number(row?.heartbeat_at) - Number(row?.sent_at)).toBeLessThan(10_000);
  expect(Number(row?.sent_at)).toBeGreaterThanOrEqual(before);
  const { bsize, blocks, bavail } = statfsSync(daemon.data);
  expect(row?.['disk_total_bytes']).toBe(blocks * bsize);
  // Others write here too.
  const free = Number(row?.['disk_free_bytes']);
  expect(Math.abs(free - bavail * bsize)).toBeLessThan(0.05 * blocks * bsize);

  const losses = await hq.asOwner(
    'select source, reason, count from app.gateway_losses where gateway_id = $1',
    of,
  );
  expect(losses).toEqual([{ source: 'sensors', reason: 'malformed', count: 3 }]);

  const sensors = await hq.asOwner<Record<string, unknown>>(
    'select * from sensor_metadata where gateway_id = $1 order by sensor_id',
    of,
  );
  const [door, zone] = status.sensors;
  expect(sensors).toMatchObject([
    {
      ...{ sensor_id: 'door', name: 'Door', sensor_type: 'line', profile: 'json-interval' },
      ...{ last_seen_at: new Date(door?.last_seen_at ?? 0), silent_after_s: door?.silent_after_s },
      ...{ battery_pct: null, faults: null, offline_since: null },
    },
    {
      ...{ sensor_id: 'hall', name: 'Hall', sensor_type: 'zone', profile: 'zigbee2mqtt-zone' },
      ...{ last_seen_at: new Date(zone?.last_seen_at ?? 0), silent_after_s: 14_400 },
      ...{ battery_pct: 12, faults: { battery_low: true } },
      ...{ offline_since: new Date(zone?.offline_since ?? 0) },
    },
  ]);
  expect(zone?.offline_since).toBeGreaterThanOrEqual(before);

  const [listed] = (await listGateways(hq.db, store.organization, store.code)).filter(
    ({ gateway_id }) => gateway_id === daemon.gateway_id,
  );
  expect(listed).toMatchObject({
    ...{ version, buffered: 8, quarantined: 3, durability: 'fsync' },
    oldest_unsent_at: new Date(noon + 3 * 60_000),
    delivered_at: row?.['delivered_at'],
  });
});
