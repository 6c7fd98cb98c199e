/** Zigbee2MQTT and Homie: what counts, what is state, and who says that a device is gone. */
import { expect, test } from 'vitest';
import { type CountingStore, countingStore } from '../support/counting-store.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

function storeWith(profile: string, topic: string, more: object = {}): CountingStore {
  const store = countingStore(workspace);
  store.pair({ sensor_id: 'door', profile, topic, ...more });
  return store;
}

const occupancies = ({ readings }: CountingStore) =>
  readings.map((each) => (each.kind === 'zone' ? each.occupancy : 'counted'));

test.each([
  ['a people counter', { people: 3, status: 'in', battery: 90 }, 3],
  ['a radar', { presence: true, occupancy: false, linkquality: 105 }, 1],
  ['a motion sensor', { occupancy: false, battery: 97 }, 0],
])('%s of Zigbee2MQTT says who is in a zone', async (_what, message, people) => {
  const store = storeWith('zigbee2mqtt-zone', 'zigbee2mqtt/hall');
  await store.say('zigbee2mqtt/hall', message);
  expect(occupancies(store)).toEqual([people]);
});

test('a door contact, a vibration and a battery count nobody', async () => {
  const store = storeWith('zigbee2mqtt-zone', 'zigbee2mqtt/hall');
  await store.say('zigbee2mqtt/hall', { contact: false, battery: 97 });
  await store.say('zigbee2mqtt/hall', { vibration: true, action: 'vibration' });
  await store.say('zigbee2mqtt/hall', { battery: 96, voltage: 3000 });
  expect(store.readings).toEqual([]);
  expect(store.quarantined).toEqual([]);
  expect(store.pipeline.ignored()).toEqual({ contact: 1, vibration: 1, no_measures: 1 });
});

test('each press of a button is one person, however often it is delivered', async () => {
  const store = storeWith('zigbee2mqtt-button', 'zigbee2mqtt/clicker');
  const press = (action: string, second: number) => ({
    action,
    last_seen: `2026-03-01T10:00:${String(second).padStart(2, '0')}.000Z`,
  });
  for (const message of [
    press('single', 1),
    press('single', 1),
    press('', 1),
    { battery: 80, last_seen: '2026-03-01T10:00:01.000Z' },
    press('single', 2),
    press('double', 3),
    press('hold', 4),
  ]) {
    await store.say('zigbee2mqtt/clicker', message);
  }
  expect(store.pipeline.tally.total('door')).toMatchObject({ in: 2, out: 1 });
  expect(store.quarantined).toEqual([]);
});

test('an action without a name that lasts counts nobody, and the reason says what is missing', async () => {
  const store = storeWith('zigbee2mqtt-button', 'zigbee2mqtt/clicker');
  await store.say('zigbee2mqtt/clicker', { action: 'single' });
  expect(store.readings).toEqual([]);
  // A second delivery could not be told from a second person.
  expect(store.quarantined).toMatchObject([{ detail: expect.stringContaining('last_seen') }]);
});

test('the state that a broker kept of a device counts nobody, be it there or long gone', async () => {
  const store = storeWith('zigbee2mqtt-zone', 'zigbee2mqtt/hall');
  await store.say('zigbee2mqtt/hall', { people: 3 }, true);
  await store.say('zigbee2mqtt/removed', { people: 3 }, true);
  expect(store.readings).toEqual([]);
  expect(store.quarantined).toEqual([]);
});

test('a bridge that lists its devices is no unknown device', async () => {
  const store = storeWith('zigbee2mqtt-zone', 'zigbee2mqtt/hall');
  for (const topic of ['devices', 'groups', 'info', 'logging', 'response/device/rename']) {
    await store.say(`zigbee2mqtt/bridge/${topic}`, [{ ieee_address: '0x01' }]);
  }
  await store.say('zigbee2mqtt/lamp/availability', { state: 'online' });
  await store.say('homie/counter/$state', 'ready');
  expect(store.quarantined).toEqual([]);
  expect(store.strangers.list()).toEqual([]);
  await store.say('zigbee2mqtt/lamp', { state: 'ON' });
  expect(store.quarantined).toMatchObject([{ reason: 'unknown_address' }]);
});

const offline = (store: CountingStore) => store.pipeline.sighting('door').offline_since !== null;

test.each([
  ['zigbee2mqtt-zone', 'zigbee2mqtt/hall', 'zigbee2mqtt/hall/availability', '{"state":"offline"}'],
  ['zigbee2mqtt-zone', 'zigbee2mqtt/hall', 'zigbee2mqtt/hall/availability', 'offline'],
  ['homie-counter', 'homie/counter/door/total', 'homie/counter/$state', 'lost'],
])('%s at %s: %s says "%s"', async (profile, topic, status, gone) => {
  const store = storeWith(profile, topic, { direction: 'in' });
  await store.say(status, gone.replace('offline', 'online').replace('lost', 'ready'));
  expect(offline(store)).toBe(false);
  await store.say(status, gone);
  expect(offline(store)).toBe(true);
  expect(store.quarantined).toEqual([]);
});

test('that a device is gone is known from what the broker kept, and over when it speaks', async () => {
  const store = storeWith('zigbee2mqtt-zone', 'zigbee2mqtt/hall');
  await store.say('zigbee2mqtt/hall/availability', { state: 'offline' }, true);
  await store.say('zigbee2mqtt/hall', { people: 2 }, true);
  expect(offline(store)).toBe(true);
  await store.say('zigbee2mqtt/hall', { people: 2 });
  expect(offline(store)).toBe(false);
});

test('a property of a Homie device counts what its total went up by, and no kept copy of it', async () => {
  const store = storeWith('homie-counter', 'homie/counter/door/total', { direction: 'in' });
  await store.say('homie/counter/door/total', '9000', true);
  for (const total of ['15210', '15213', '15213'])
    await store.say('homie/counter/door/total', total);
  expect(store.pipeline.tally.total('door')).toMatchObject({ in: 3, out: 0 });
  expect(store.quarantined).toEqual([]);
});

test('words that nobody listed say nothing', async () => {
  const store = storeWith('homie-counter', 'homie/counter/door/total', { direction: 'in' });
  await store.say('homie/counter/$state', 'lost');
  await store.say('homie/counter/$state', 'sleeping');
  expect(offline(store)).toBe(true);
});
