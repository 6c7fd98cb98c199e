/** One topic or path for many devices: each message counts for the device that it names, and only there. */
import { expect, test } from 'vitest';
import { discovered } from '../../gateway/pairing/discovery.ts';
import { profileSchema } from '../../gateway/profiles/profile.ts';
import { builtIn, countingStore } from '../support/counting-store.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

/** A Terabee L-XL uplink as ChirpStack v4, The Things Stack v3 and a Milesight gateway wrap it. */
function bytesOf(people_in: number, people_out: number): string {
  const bytes = Buffer.alloc(9);
  bytes.writeUInt32BE(people_in, 0);
  bytes.writeUInt32BE(people_out, 4);
  return bytes.toString('base64');
}
const envelopes = {
  chirpstack: (dev: string, id: number, data: string) => ({
    deduplicationId: `${dev}-${id}`,
    time: '2026-03-01T10:00:00.123456+00:00',
    deviceInfo: { devEui: dev },
    fPort: 1,
    data,
  }),
  things_stack: (dev: string, id: number, frm_payload: string) => ({
    end_device_ids: { dev_eui: dev.toUpperCase() },
    uplink_message: {
      session_key_id: 'a',
      f_cnt: id,
      f_port: 1,
      frm_payload,
      received_at: '2026-03-01T10:00:00.123456789Z',
    },
  }),
  milesight: (devEUI: string, fCnt: number, data: string) => ({
    devEUI,
    fCnt,
    fPort: 1,
    data,
    time: '2026-03-01T10:00:00Z',
  }),
};
const north = 'a840410000000001';
const south = 'a840410000000002';

function twoDoors() {
  const store = countingStore(workspace);
  for (const [sensor_id, device] of [
    ['north', north],
    ['south', south],
  ]) {
    store.pair({ sensor_id, profile: 'terabee-l-xl', topic: 'lorawan', device });
  }
  const counted = () =>
    ['north', 'south'].map((door) => {
      const { in: people_in, out } = store.pipeline.tally.total(door);
      return [people_in, out];
    });
  return { store, counted };
}

test.each(Object.entries(envelopes))(
  'an array of envelopes of %s counts for each device that it names',
  async (_server, wrap) => {
    const { store, counted } = twoDoors();
    await store.say('lorawan', [wrap(north, 1, bytesOf(10, 5)), wrap(south, 1, bytesOf(900, 800))]);
    await store.say('lorawan', [
      wrap(south, 2, bytesOf(903, 804)),
      wrap(north, 2, bytesOf(12, 5)),
      wrap(north, 3, bytesOf(13, 6)),
    ]);
    // A total is reported when the next one shows that it stood.
    await store.say('lorawan', [wrap(south, 3, bytesOf(903, 804)), wrap(north, 4, bytesOf(13, 6))]);
    expect(counted()).toEqual([
      [3, 1],
      [3, 4],
    ]);
    expect(store.quarantined).toEqual([]);
  },
);

test('servers may be mixed in one array', async () => {
  const { store, counted } = twoDoors();
  for (const [i, people] of [10, 12, 12].entries()) {
    await store.say('lorawan', [
      envelopes.chirpstack(north, i, bytesOf(people, 0)),
      envelopes.things_stack(south, i, bytesOf(2 * people, 0)),
    ]);
  }
  expect(counted()).toEqual([
    [2, 0],
    [4, 0],
  ]);
});

test('what cannot be read of an array stands in quarantine, and the rest counts', async () => {
  const { store, counted } = twoDoors();
  for (const [i, people] of [10, 14, 14].entries()) {
    const whole = envelopes.chirpstack(north, i, bytesOf(people, 0));
    const broken = { ...envelopes.chirpstack(south, i, ''), data: '%%%' };
    await store.say('lorawan', [whole, broken, { hello: 'world' }]);
  }
  expect(counted()[0]).toEqual([4, 0]);
  expect(store.quarantined.map(({ reason, detail }) => [reason, detail])).toContainEqual([
    'malformed',
    'the payload is no base64',
  ]);
});

test('a device of an array that nobody paired is no reason to count for another', async () => {
  const { store, counted } = twoDoors();
  const stranger = 'a840410000000003';
  for (const [i, people] of [10, 14, 14].entries()) {
    await store.say('lorawan', [
      envelopes.chirpstack(stranger, i, bytesOf(900 * people, 0)),
      envelopes.chirpstack(north, i, bytesOf(people, 0)),
    ]);
  }
  expect(counted()[0]).toEqual([4, 0]);
  expect(store.quarantined[0]).toMatchObject({ reason: 'unknown_unit' });
});

test('messages of several devices are never one sensor', async () => {
  const store = countingStore(workspace);
  store.pair({ sensor_id: 'door', profile: 'terabee-l-xl', topic: 'lorawan' });
  const both = [north, south].map((dev) => envelopes.chirpstack(dev, 1, bytesOf(10, 5)));
  await store.say('lorawan', both);
  expect(store.readings).toEqual([]);
  expect(store.quarantined).toMatchObject([{ detail: expect.stringContaining('--device') }]);
});

const fleet = profileSchema.parse({
  name: 'fleet',
  title: 'Rows of many counters in one push',
  transport: 'http',
  messages: 'report.counters[]',
  codec: { kind: 'json' },
  mapping: {
    device: 'serial',
    measures: [{ target: 'in', path: 'in', semantics: 'cumulative', width: 32 }],
  },
});

test('a body with rows of many devices counts for each, also where names are numbers', async () => {
  const store = countingStore(workspace, [fleet]);
  store.pair({ sensor_id: 'north', profile: 'fleet', path: '/fleet', device: '17' });
  store.pair({ sensor_id: 'south', profile: 'fleet', path: '/fleet', device: 'S-2' });
  for (const people of [10, 13, 13]) {
    const counters = [
      { serial: 17, in: people },
      { serial: 's-2', in: 5 * people },
    ];
    await store.say('/fleet', { report: { counters } });
  }
  expect(['north', 'south'].map((door) => store.pipeline.tally.total(door).in)).toEqual([3, 15]);
});

test('an array may be left out where it would hold one message, as XML does', async () => {
  const store = countingStore(workspace, [fleet]);
  store.pair({ sensor_id: 'north', profile: 'fleet', path: '/fleet', device: '17' });
  for (const people of [10, 13, 13]) {
    await store.say('/fleet', { report: { counters: { serial: 17, in: people } } });
  }
  expect(store.pipeline.tally.total('north').in).toBe(3);
});

test('devices of a shared topic are discovered by the names they give themselves', async () => {
  const store = countingStore(workspace);
  const both = [north, south].map((dev) => envelopes.chirpstack(dev, 1, bytesOf(10, 5)));
  await store.say('lorawan', both);
  const found = await discovered({
    sources: [{ name: 'sensors', kind: 'mqtt-listen', host: '0.0.0.0', port: 1883 } as never],
    registry: store.registry,
    strangers: store.strangers,
    catalogue: builtIn,
    runScript: () => Promise.reject(new Error('no script is expected')),
  });
  expect(found.map(({ device }) => device)).toEqual([north, south]);
  expect(found[0]?.candidates.map(({ profile }) => profile)).toContain('terabee-l-xl');
});

test('a Xovis push may be an array of envelopes', async () => {
  const store = countingStore(workspace);
  store.pair({ sensor_id: 'door', profile: 'xovis', topic: 'xovis' });
  const from = Date.parse('2026-03-01T10:00:00Z');
  const push = (minute: number, fw: number) => ({
    logics_data: {
      logics: [
        {
          id: 1,
          name: 'Line 0',
          info: 'XLT_LINE_IN_OUT_COUNT',
          records: [
            {
              from: from + minute * 60_000,
              to: from + (minute + 1) * 60_000,
              counts: [
                { name: 'fw', value: fw },
                { name: 'bw', value: 1 },
              ],
            },
          ],
        },
      ],
    },
  });
  await store.say('xovis', [push(0, 2), push(1, 3)]);
  await store.say('xovis', push(2, 4));
  expect(store.readings.map((each) => (each.kind === 'count' ? each.in : null))).toEqual([2, 3, 4]);
});
