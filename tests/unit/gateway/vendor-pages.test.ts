/** Devices that are not built in, read by a profile written from what their vendors publish. */
import { expect, test } from 'vitest';
import { type Trial, tryFrames } from '../../../gateway/cli/profile-trial.ts';
import { readYaml } from '../../../gateway/config/yaml.ts';
import { type Profile, profileSchema } from '../../../gateway/profiles/profile.ts';

function profileOf(text: string): Profile {
  const read = readYaml(text, profileSchema);
  if (!read.ok) throw new Error(JSON.stringify(read.problems));
  return read.value;
}

function trial(profile: Profile, ...payloads: Uint8Array[]): Promise<Trial[]> {
  return tryFrames(profile, payloads, {
    runScript: () => Promise.reject(new Error('no script is expected')),
    direction: 'as-is',
    port: undefined,
    received_at: Date.parse('2026-03-01T12:00:00Z'),
  });
}

/** People by target, of all readings. */
function people(trials: readonly Trial[]) {
  const readings = trials.flatMap(({ readings: each }) => each).filter((r) => r.kind === 'count');
  const sum = (target: 'in' | 'out') => readings.reduce((all, reading) => all + reading[target], 0);
  return { in: sum('in'), out: sum('out') };
}

test('Parametric PCR2, extended payload 4: sums since power-up, from its documented layout', async () => {
  const pcr2 = profileOf(`
name: parametric-pcr2
title: Parametric PCR2 (LoRaWAN)
transport: mqtt
unwrap: lorawan
ports: [14]
codec:
  kind: binary
  length: 17
  fields:
    - { name: head, at: 0, type: u24, equals: 0xbe0104 }
    - { name: ltr, at: 3, type: u16 }
    - { name: rtl, at: 5, type: u16 }
    - { name: ltr_sum, at: 7, type: u16 }
    - { name: rtl_sum, at: 9, type: u16 }
mapping:
  measures:
    - { target: in, path: ltr_sum, semantics: cumulative, width: 16 }
    - { target: out, path: rtl_sum, semantics: cumulative, width: 16 }
`);
  // The first frame is the example that the vendor publishes for The Things Network.
  const frames = [
    'be01040001000200030004' + '1c200ce40139',
    'be01040002000100050005' + '1c200ce40139',
  ];
  const trials = await trial(pcr2, ...frames.map((hex) => Buffer.from(hex, 'hex')));
  expect(trials[0]?.values).toMatchObject([{ ltr: 1, rtl: 2, ltr_sum: 3, rtl_sum: 4 }]);
  expect(people(trials)).toEqual({ in: 2, out: 1 });
  const configuration = await trial({ ...pcr2, ports: [190] }, Buffer.from('be010501030a', 'hex'));
  expect(configuration[0]).toMatchObject({ outcome: 'fault', reason: 'truncated' });
});

test('Brickstream 2300 XML: local dates with the zone and summer hour beside them', async () => {
  const brickstream = profileOf(`
name: brickstream
title: Brickstream 2300 (XML over HTTP)
transport: http
codec: { kind: xml }
mapping:
  device: Metrics.Properties.SerialNumber
  records:
    - each: Metrics.ReportData.Report[].Object[].Count[]
      element: "{^Name}"
      time:
        from: "{^^Date} {StartTime}"
        to: "{^^Date} {EndTime}"
        format: local
        zone_path: $.Metrics.Properties.Timezone
        dst_path: $.Metrics.Properties.DST
      dedupe: [^Id, ^^Date, StartTime]
      measures:
        - { target: in, path: Enters, semantics: delta }
        - { target: out, path: Exits, semantics: delta }
`);
  const report = `<?xml version="1.0" encoding="UTF-8"?>
    <Metrics SiteId="665" DeviceId="SD-01"><Properties><Version>2</Version><Timezone>-5</Timezone>
    <DST>1</DST><SerialNumber>13132694</SerialNumber></Properties>
    <ReportData Interval="1"><Report Date="2026-02-28"><Object Id="0" Name="Door 01">
    <Count StartTime="18:01:00" EndTime="18:02:00" Enters="4" Exits="1" Status="0"/>
    <Count StartTime="23:59:00" EndTime="00:00:00" Enters="2" Exits="0" Status="0"/>
    </Object></Report></ReportData></Metrics>`;
  const [read] = await trial(brickstream, Buffer.from(report));
  // 18:01 five hours behind UTC, with the hour of summer time, is 22:01 UTC.
  expect(read?.readings).toMatchObject([
    { sensor_id: 'sensor/door-01', observed_at: Date.parse('2026-02-28T22:01:00Z'), in: 4, out: 1 },
    {
      sensor_id: 'sensor/door-01',
      observed_at: Date.parse('2026-03-01T03:59:00Z'),
      interval_s: 60,
    },
  ]);
});

/** Sequences of totals of a 16-bit and a 32-bit counter, constructed from published widths. */
test.each([
  [16, [65_530, 65_535, 4, 10], 5 + 5 + 6],
  [32, [70_000, 70_012, 3, 9], 12 + 3 + 6],
])('a %s-bit counter that says %j counts %i people', async (width, totals, counted) => {
  const counter = profileOf(`
name: counter
title: A counter
transport: mqtt
codec: { kind: json }
mapping: { measures: [{ target: in, path: n, semantics: cumulative, width: ${width} }] }
`);
  const trials = await trial(counter, ...totals.map((n) => Buffer.from(JSON.stringify({ n }))));
  expect(people(trials).in).toBe(counted);
});
