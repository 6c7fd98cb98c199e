import { expect, test } from 'vitest';
import { decode } from '../../../gateway/profiles/decode.ts';
import { eachDevice } from '../../../gateway/profiles/measure.ts';
import { profileSchema } from '../../../gateway/profiles/profile.ts';

const bytes = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));

function profileOf(mapping: object, codec: object = { kind: 'json' }) {
  return profileSchema.parse({ name: 'probe', title: 'probe', transport: 'mqtt', codec, mapping });
}

const lines = profileOf({
  records: [
    {
      each: 'lines[]',
      element: 'line-{no}',
      dedupe: ['$.id'],
      measures: [{ target: 'in', path: 'in', semantics: 'delta' }],
    },
  ],
});

/** Element and first value of each record. */
function read(profile: Parameters<typeof decode>[0], message: unknown) {
  const [decoded] = eachDevice(decode(profile, bytes(message)));
  if (decoded?.outcome !== 'records') return `${decoded?.outcome}: ${decoded?.reason}`;
  return decoded.records.map(({ element, measures }) => `${element}=${measures[0]?.value}`);
}

test('each line of a message is a sensor of its own', () => {
  const message = {
    id: 1,
    lines: [
      { no: 1, in: 3 },
      { no: 3, in: 0 },
    ],
  };
  expect(read(lines, message)).toEqual(['line-1=3', 'line-3=0']);
});

test('a message whose list is empty is understood and counts nobody', () => {
  expect(read(lines, { id: 1, lines: [] })).toBe('ignored: no_measures');
});

test('a message without the list is not this device', () => {
  expect(read(lines, { id: 1 })).toBe('fault: value_missing');
});

test('a bad line goes to quarantine and takes no good line with it', () => {
  const message = {
    id: 1,
    lines: [
      { no: 1, in: 3 },
      { no: 2, in: -1 },
    ],
  };
  expect(decode(lines, bytes(message))).toMatchObject({
    outcome: 'records',
    records: [{ element: 'line-1' }],
    refused: [{ reason: 'value_invalid' }],
  });
});

test('a line is named as its people name it, in the letters of a sensor id', () => {
  const message = { id: 1, lines: [{ no: 'Tür / Nord 2', in: 1 }] };
  expect(read(lines, message)).toEqual(['line-tur-nord-2=1']);
});

test('two lines whose names share no Latin letter stay two sensors', () => {
  const named = read(lines, {
    id: 1,
    lines: [
      { no: '北', in: 1 },
      { no: '南', in: 2 },
    ],
  });
  expect(new Set([named].flat()).size).toBe(2);
});

test('a second account of the same people in one line is refused, whichever record holds it', () => {
  const twice = () =>
    profileOf({
      dedupe: ['id'],
      records: [
        { each: 'p[]', element: 'a', measures: [{ target: 'in', path: 'x', semantics: 'delta' }] },
        { each: 't[]', element: 'a', measures: [{ target: 'in', semantics: 'event' }] },
      ],
    });
  expect(twice).toThrow('second meaning');
});

test('parallel arrays are read side by side', () => {
  const zones = profileOf({
    records: [
      {
        each: 'names[]',
        element: '{$}',
        measures: [{ target: 'occupancy', path: '$.people[#]', semantics: 'instant' }],
      },
    ],
  });
  expect(read(zones, { names: ['a', 'b'], people: [4, 0] })).toEqual(['a=4', 'b=0']);
});

test('XML is read by local names, whatever the namespace, with one region or several', () => {
  const regions = profileOf(
    {
      records: [
        {
          each: 'Alert.Region[]',
          element: 'region-{id}',
          measures: [{ target: 'in', path: 'enter', semantics: 'cumulative', width: 'unbounded' }],
        },
      ],
    },
    { kind: 'xml' },
  );
  const one =
    '<?xml version="1.0"?><h:Alert xmlns:h="urn:a"><h:Region id="1"><h:enter>5</h:enter></h:Region></h:Alert>';
  const two =
    '<Alert xmlns="urn:b"><Region id="1"><enter>5</enter></Region><Region id="2"><enter>&#55;</enter></Region></Alert>';
  expect(read(regions, one)).toEqual(['region-1=5']);
  expect(read(regions, two)).toEqual(['region-1=5', 'region-2=7']);
});

test.each([
  ['an entity bomb', '<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>'],
  ['an element that is never closed', '<a><b></a>'],
  ['two roots', '<a/><b/>'],
  ['text that only looks like XML', '<a href=1>'],
])('%s is no XML', (_what, text) => {
  const any = profileOf(
    { measures: [{ target: 'in', path: 'a', semantics: 'cumulative', width: 32 }] },
    { kind: 'xml' },
  );
  expect(read(any, text)).toBe('fault: malformed');
});

test('the lines of a CSV are records by the names of their columns', () => {
  const table = profileOf(
    {
      records: [
        {
          each: 'rows[]',
          element: '{door}',
          dedupe: ['start'],
          time: { from: 'start', format: 'local', zone: 'Europe/Zurich', interval_s: 60 },
          measures: [{ target: 'in', path: 'in', semantics: 'delta' }],
        },
      ],
    },
    { kind: 'csv', separator: ';' },
  );
  const text = 'door;start;in\r\n"north ""a""";2026-07-01 10:00:00;3\r\n';
  expect(decode(table, bytes(text))).toMatchObject({
    records: [
      {
        element: 'north-a',
        measures: [{ value: 3 }],
        device: { from: Date.parse('2026-07-01T08:00:00Z') },
      },
    ],
  });
});

test('bits, binary-coded decimals and values that mean "not set" are read from fixed bytes', () => {
  const layout = profileOf(
    {
      records: [
        {
          element: 'all',
          measures: [{ target: 'occupancy', path: 'people', semantics: 'instant' }],
          where: { path: 'blind', equals: 0 },
        },
        {
          element: 'side',
          measures: [{ target: 'occupancy', path: 'side', semantics: 'instant', optional: true }],
        },
      ],
    },
    {
      kind: 'binary',
      length: 4,
      fields: [
        { name: 'blind', at: 0, type: 'u8', bits: { from: 7 } },
        { name: 'people', at: 1, type: 'bcd', bytes: 2 },
        { name: 'side', at: 3, type: 'u8', null_when: 255 },
      ],
    },
  );
  const frame = (hex: string) => read(layout, Buffer.from(hex, 'hex').toString('latin1'));
  expect(frame('0001' + '2303')).toEqual(['all=123', 'side=3']);
  expect(decode(layout, Buffer.from('000123ff', 'hex'))).toMatchObject({
    records: [{ element: 'all' }],
  });
});

test('an uplink is the same behind ChirpStack, The Things Stack and a Milesight gateway', () => {
  const beam = profileSchema.parse({
    name: 'probe',
    title: 'probe',
    transport: 'mqtt',
    unwrap: 'lorawan',
    ports: [1],
    codec: { kind: 'binary', length: 1, fields: [{ name: 'n', at: 0, type: 'u8' }] },
    mapping: { measures: [{ target: 'in', path: 'n', semantics: 'delta' }] },
  });
  const time = '2026-03-01T10:00:00.123456789Z';
  const servers = [
    { deduplicationId: 'x', time, deviceInfo: { devEui: 'AB01' }, fPort: 1, data: 'Bw==' },
    {
      end_device_ids: { dev_eui: 'AB01' },
      uplink_message: { f_port: 1, f_cnt: 3, frm_payload: 'Bw==', received_at: time },
    },
    { devEUI: 'ab01', fCnt: 3, fPort: 1, data: 'Bw==', time },
  ];
  for (const message of [...servers, [servers[0]]]) {
    expect(decode(beam, bytes(message))).toMatchObject({
      device: 'ab01',
      records: [
        { measures: [{ value: 7 }], device: { to: Date.parse('2026-03-01T10:00:00.123Z') } },
      ],
    });
  }
  expect(read(beam, { ...servers[2], fPort: 2 })).toBe('ignored: port_2');
});
