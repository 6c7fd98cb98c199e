/** `sensor import`: a store's sensors come whole or not at all. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { command, jsonOf } from '../support/process.ts';
import { newStore, run, type Store } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

const door = (sensor_id: string, topic: string, more: object = {}) => {
  return { sensor_id, name: sensor_id, source: 'sensors', profile: 'json-total', topic, ...more };
};

/** A store with two doors; whether a daemon runs there. */
async function storeWithDoors(isRunning: boolean): Promise<Store> {
  const store = await newStore(workspace);
  if (isRunning) await run(workspace, store);
  await bring(store, door('a', 'topic-a'), door('b', 'topic-b'));
  return store;
}

function bring(store: Store, ...sensors: object[]) {
  const file = join(store.folder, 'import.json');
  writeFileSync(file, JSON.stringify({ sensors }));
  return command('footbridge', ...store.of, 'sensor', 'import', file);
}

const registry = (store: Store) => readFileSync(join(store.folder, 'data/sensors.json'), 'utf8');

test.each([
  ['through the daemon', true],
  ['without one', false],
])('%s a file with conflicts pairs nobody, and names them all', async (_how, isRunning) => {
  const store = await storeWithDoors(isRunning);
  const before = registry(store);
  const { code, stderr } = await bring(
    store,
    door('c', 'topic-c'),
    door('d', 'topic-a'),
    door('e', 'topic-e', { profile: 'unheard-of' }),
    door('f', 'topic-f', { source: 'nowhere' }),
    door('c', 'topic-g'),
  );
  expect(code).toBe(1);
  expect(stderr).toContain('(import_refused)');
  for (const fault of [
    /d: .*topic-a belongs to a/,
    /e: .*unheard-of/,
    /f: .*"nowhere"; known: sensors/,
    /c: .*c stands there twice/,
  ]) {
    expect(stderr).toMatch(fault);
  }
  expect(registry(store)).toBe(before);
  if (!isRunning) return;
  const { sensors } = await jsonOf<{ sensors: object[] }>('footbridge', ...store.of, 'status');
  expect(sensors).toMatchObject([{ sensor_id: 'a' }, { sensor_id: 'b' }]);
});

test('two doors may change places in one file', async () => {
  const store = await storeWithDoors(true);
  const { code } = await bring(store, door('a', 'topic-b'), door('b', 'topic-a'));
  expect(code).toBe(0);
  expect(JSON.parse(registry(store)).sensors).toMatchObject([
    { sensor_id: 'a', topic: 'topic-b', replaced: 1 },
    { sensor_id: 'b', topic: 'topic-a', replaced: 1 },
  ]);
});
