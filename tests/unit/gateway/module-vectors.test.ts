/** Answers, sequences and envelopes as manuals and captures show them, through what `profile test` runs. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { tryFrames } from '../../../gateway/cli/profile-trial.ts';
import { readYaml } from '../../../gateway/config/yaml.ts';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';
import { openEnvelope } from '../../../gateway/profiles/envelope.ts';
import { type Profile, profileSchema } from '../../../gateway/profiles/profile.ts';
import { readTime } from '../../../gateway/profiles/time.ts';
import { root } from '../../rules/sources.ts';

const catalogue = loadCatalogue([join(root, 'gateway/profiles/built-in')]);

function trial(profile: Profile, payloads: readonly (string | Uint8Array)[], direction = 'in') {
  const bytes = payloads.map((each) =>
    typeof each === 'string' ? Buffer.from(each, 'hex') : each,
  );
  return tryFrames(profile, bytes, {
    runScript: () => Promise.reject(new Error('no script is expected')),
    direction: direction as 'in',
    port: undefined,
    received_at: Date.parse('2026-03-01T12:00:00Z'),
  });
}

// Answers with the two words of 70,000, each in its module's order (manuals of all three).
test.each([
  ['advantech-adam-6051', '00010000000701030411700001'],
  ['moxa-iologik-e1210', '00020000000701040400011170'],
  ['icp-das-m-7088', '01040411700001'],
])('%s says 70,000 in its own order of words', async (name, answer) => {
  const [told] = await trial(profileNamed(catalogue, name), [answer]);
  expect(told?.values).toEqual([{ in: 70_000 }]);
  expect(told?.records[0]?.measures).toMatchObject([{ target: 'in', value: 70_000 }]);
});

/** What a counter of that width counts between its samples, a minute apart. */
async function countedOf(profile: string, samples: readonly number[], bytes: 2 | 4) {
  // The other direction of the module stands still.
  const word = (value: number) => value.toString(16).padStart(2 * bytes, '0');
  const words = samples.map((each) => word(each) + word(0));
  const trials = await trial(profileNamed(catalogue, profile), words, 'as-is');
  const readings = trials.flatMap((each) => each.readings);
  return {
    people: readings.reduce((sum, each) => sum + (each.kind === 'count' ? each.in : 0), 0),
    notes: trials.flatMap(({ notes }) => notes),
  };
}

test('a 16-bit counter that passes its end goes on from 0', async () => {
  const { people, notes } = await countedOf('modbus-counter-16', [65_530, 65_535, 4, 10, 10], 2);
  expect(people).toBe(5 + 5 + 6);
  expect(notes).toContain('sensor: wrapped');
});

test('a 32-bit counter that falls far from its end was switched off, and counts from 0', async () => {
  const { people, notes } = await countedOf('modbus-counter-32', [70_000, 70_012, 3, 9, 9], 4);
  expect(people).toBe(12 + 3 + 6);
  expect(notes).toContain('sensor: reset');
});

const captured = (name: string) => {
  const file = join(root, 'tests/cases/envelopes', `${name}.json`);
  return JSON.parse(readFileSync(file, 'utf8')) as {
    payload: { json: unknown };
    expected: Record<string, string>;
  };
};

test('an envelope of ChirpStack v4 that holds no bytes is understood, and is no people counter', async () => {
  const { payload, expected } = captured('chirpstack-v4');
  const uplink = openEnvelope(payload.json);
  expect(uplink).toMatchObject({
    device: expected['devEui'],
    key: expected['dedupe'],
    bytes: null,
  });
  expect(uplink.time).toBe(expected['time']);
  expect(readTime(uplink.time, 'iso8601')).toBe(Date.parse('2024-06-20T08:48:38.863Z'));
  const profile = profileNamed(catalogue, 'terabee-l-xl');
  const [told] = await trial(profile, [Buffer.from(JSON.stringify(payload.json))]);
  expect(told).toMatchObject({ outcome: 'fault', readings: [] });
});

test('an envelope of The Things Stack v3 gives its bytes, port, time and name', () => {
  const { payload, expected } = captured('the-things-stack-v3');
  const uplink = openEnvelope(payload.json);
  expect(uplink).toMatchObject({ device: expected['dev_eui'], port: Number(expected['f_port']) });
  expect(Buffer.from(uplink.bytes ?? []).toString('hex')).toBe(expected['payload_hex']);
  expect(uplink.time).toBe(expected['received_at']);
  // Its session has no id here, so the time at which the network heard it names it.
  expect(uplink.key).toBe(expected['received_at']);
});

function profileOf(text: string): Profile {
  const read = readYaml(text, profileSchema);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

test('iSMA SFAR-1M-4DI, four 32-bit counters, low word first, from its table of registers', async () => {
  // Holding registers 40053 "Counter 1 LSR" and 40054 "Counter 1 MSR", decimal address 52.
  const isma = profileOf(`
name: isma-sfar-1m-4di
title: iSMA SFAR-1M-4DI pulse counter
transport: modbus
modbus: { function: 3, register: 52, count: 2 }
codec:
  kind: registers
  fields: [{ name: passages, at: 0, type: u32, word_order: low_first }]
mapping:
  measures:
    - { target: passages, path: passages, semantics: cumulative, width: 32 }
`);
  const answers = ['0103041170' + '0001', '0103041174' + '0001', '0103041174' + '0001'];
  const trials = await trial(isma, answers, 'halved');
  expect(trials[0]?.values).toEqual([{ passages: 70_000 }]);
  const readings = trials.flatMap((each) => each.readings);
  expect(readings).toMatchObject([
    { kind: 'count', in: 2, out: 2 },
    { in: 0, out: 0 },
  ]);
});

test('Huawei Cloud VIAS line crossing over HTTP, people of an interval by side, from its result example', async () => {
  const vias = profileOf(`
name: huawei-vias-lines
title: Huawei Cloud VIAS, people who cross a line (JSON over HTTP)
transport: http
codec: { kind: json }
mapping:
  device: stream_id
  # 131073 is a crossing; heat maps and regions come to the same address.
  ignore:
    - { path: image_base64, exists: true }
    - { path: "data.event_set[#].region_id", exists: true }
  records:
    - each: data.event_set[]
      element: "line-{line_id}"
      time: { at: $.timestamp, format: unix_s, interval_path: $.data.interval }
      dedupe: [$.message_id, line_id]
      measures:
        - { target: in, path: side1_count, semantics: delta }
        - { target: out, path: side2_count, semantics: delta }
`);
  const message = {
    task_id: 'ee7d7f5c7ba24839b6abaf5b81607496',
    stream_id: 'test',
    event_type: 131073,
    timestamp: Date.parse('2026-03-01T12:00:00Z') / 1000,
    message_id: '849D1326-4FC8-11EA-8F73-0242AC110004',
    data: {
      interval: 2,
      event_set: [
        {
          line: [
            [480, 1440],
            [540, 540],
          ],
          line_id: 0,
          side1_count: 1,
          side2_count: 0,
        },
        {
          line: [
            [490, 1500],
            [640, 540],
          ],
          line_id: 1,
          side1_count: 3,
          side2_count: 2,
        },
      ],
    },
  };
  const [told] = await trial(vias, [Buffer.from(JSON.stringify(message))], 'as-is');
  expect(told).toMatchObject({ device: 'test', refused: [] });
  expect(told?.readings).toMatchObject([
    { sensor_id: 'sensor/line-0', interval_s: 2, in: 1, out: 0 },
    { sensor_id: 'sensor/line-1', interval_s: 2, in: 3, out: 2 },
  ]);
});
