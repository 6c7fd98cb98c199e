import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Entry } from '../../gateway/buffer/entry.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { root } from '../rules/sources.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const catalogue = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
const start = Date.parse('2026-03-01T10:00:00Z');
const counter = { sensor_id: 'door', name: 'Door', profile: 'json-total', source: 'sensors' };

/** A gateway from its registry to its buffer, without a disk below the buffer. */
function store() {
  const path = join(workspace.folder(), 'sensors.json');
  let registry = new SensorRegistry(path, catalogue);
  const meters = new Map<string, string>();
  let seconds = 0;
  const open = () =>
    new Pipeline({
      registry,
      buffer: {
        append: async (entries: readonly Entry[]) => {
          for (const { meter } of entries) {
            if (meter !== null) meters.set(meter.sensor_id, JSON.stringify(meter.state));
          }
        },
      },
      recovered: {
        meters: [...meters].map(([sensor_id, state]) => ({ sensor_id, state: JSON.parse(state) })),
        keys: [],
      },
      runScript: () => Promise.reject(new Error('no script is expected')),
      report_interval_ms: 60_000,
      clock: systemClock,
      log: silentLog,
    });
  let pipeline = open();
  return {
    pair: (changes: object, isReplaced = false) =>
      registry.pair({ ...counter, topic: 'a', ...changes }, () => {}, isReplaced),
    unpair: () => registry.unpair('door'),
    restart: () => {
      registry = new SensorRegistry(path, catalogue);
      pipeline = open();
    },
    say: (address: string, payload: object) => {
      seconds += 1;
      const bytes = Buffer.from(JSON.stringify(payload));
      const received_at = start + seconds * 1000;
      return pipeline.accept({ source: 'sensors', address, bytes, received_at });
    },
    counted: () => pipeline.tally.total('door'),
    registry: () => readFileSync(path, 'utf8'),
  };
}

test('a replaced counter at another address counts on under the same sensor, without its own past', async () => {
  const { pair, say, counted } = store();
  pair({});
  await say('a', { in: 1000, out: 900 });
  await say('a', { in: 1005, out: 903 });
  pair({ topic: 'b' });
  await say('b', { in: 1040, out: 930 });
  await say('b', { in: 1042, out: 931 });
  expect(counted()).toEqual({ in: 7, out: 4 });
});

test('a replaced counter at the same address is told with --replaced', async () => {
  const { pair, say, counted } = store();
  pair({});
  await say('a', { in: 1000, out: 900 });
  pair({}, true);
  await say('a', { in: 1040, out: 930 });
  await say('a', { in: 1041, out: 930 });
  expect(counted()).toEqual({ in: 1, out: 0 });
});

test('paired again as it was, a sensor counts on from its totals', async () => {
  const { pair, say, counted, registry } = store();
  pair({});
  await say('a', { in: 1000, out: 900 });
  const before = registry();
  pair({ name: 'Front door' });
  await say('a', { in: 1005, out: 903 });
  expect(counted()).toEqual({ in: 5, out: 3 });
  pair({});
  expect(registry()).toBe(before);
});

test('a counter turned round is compared with none of its totals from before', async () => {
  const { pair, say, counted, restart } = store();
  pair({});
  await say('a', { in: 2, out: 1 });
  pair({ direction: 'swapped' });
  restart();
  await say('a', { in: 2, out: 1 });
  await say('a', { in: 2, out: 1 });
  await say('a', { in: 4, out: 2 });
  expect(counted()).toEqual({ in: 1, out: 2 });
});

test('a new device may number its messages as the old one did', async () => {
  const { pair, unpair, say, counted } = store();
  const message = {
    id: 1,
    from: '2026-03-01T09:59:00Z',
    to: '2026-03-01T10:00:00Z',
    in: 3,
    out: 1,
  };
  pair({ profile: 'json-interval' });
  await say('a', message);
  await say('a', message);
  expect(counted()).toEqual({ in: 3, out: 1 });
  pair({ profile: 'json-interval', topic: 'b' });
  await say('b', message);
  expect(counted()).toEqual({ in: 6, out: 2 });
  unpair();
  pair({ profile: 'json-interval', topic: 'c' });
  await say('c', message);
  expect(counted()).toEqual({ in: 9, out: 3 });
});
