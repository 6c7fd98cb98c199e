/** Sparkplug B payloads and sessions, on messages of an independent implementation. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  decodeSparkplug,
  defineMetrics,
  noDefinitions,
  rebirthRequest,
} from '../../../gateway/profiles/codecs/sparkplug.ts';
import { SparkplugNodes } from '../../../gateway/profiles/sparkplug-nodes.ts';
import { addressOfTopic } from '../../../gateway/profiles/sparkplug-topic.ts';
import { root } from '../../rules/sources.ts';

const recorded: { topic: string; hex: string }[] = JSON.parse(
  readFileSync(join(root, 'tests/cases/sparkplug-total/session.json'), 'utf8'),
).messages;
const bytesOf = (kind: string, nth = 0) =>
  Buffer.from(recorded.filter(({ topic }) => topic.includes(`/${kind}/`))[nth]?.hex ?? '', 'hex');
const birthTime = Date.parse('2026-03-01T10:00:01Z');

test('a birth says of each metric its name, alias, type, time and value', () => {
  const { metrics, seq } = decodeSparkplug(bytesOf('DBIRTH'));
  const told = metrics.map(({ name, alias, value }) => [name, alias, value]);
  expect(seq).toBe(1);
  expect(metrics[0]).toMatchObject({ datatype: 7, timestamp: birthTime, historical: false });
  expect(told).toEqual([
    ['in', '11', 100],
    ['out', '12', 90],
    ['Temperature', '13', 21.5],
    ['Drift', '14', -3],
    ['Lens/Covered', '15', false],
    ['Label', '16', 'Tür'],
    ['Backlog', '17', null],
  ]);
});

test('data that carry only aliases have the names of the birth', () => {
  const known = noDefinitions();
  expect(decodeSparkplug(bytesOf('DDATA'), known).unknown_aliases).toEqual(['11', '12']);
  defineMetrics(known, decodeSparkplug(bytesOf('DBIRTH')));
  const { metrics, unknown_aliases } = decodeSparkplug(bytesOf('DDATA'), known);
  expect(unknown_aliases).toBeUndefined();
  expect(metrics.map(({ name, value }) => [name, value])).toEqual([
    ['in', 104],
    ['out', 91],
  ]);
});

test('a 64-bit number that a double would round stays text', () => {
  // value = 2^63 + 1 of type UInt64, in the metric `n`
  const metric = Buffer.from('0a016e200858818080808080808080' + '01', 'hex');
  const payload = Buffer.concat([Buffer.from([0x12, metric.length]), metric]);
  expect(decodeSparkplug(payload).metrics[0]?.value).toBe('9223372036854775809');
});

test('bytes that are cut off or changed are an error or a payload, never anything else', () => {
  const whole = bytesOf('DBIRTH');
  for (let length = 1; length < whole.length; length += 1) {
    try {
      decodeSparkplug(whole.subarray(0, length));
    } catch (error) {
      expect(String(error)).toMatch(/ at byte \d+$/);
    }
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      try {
        return Array.isArray(decodeSparkplug(bytes).metrics);
      } catch (error) {
        return error instanceof Error;
      }
    }),
  );
});

/** Says the recorded messages of some kinds; what was heard of each. */
function session(nodes: SparkplugNodes, ...said: (readonly [kind: string, nth?: number])[]) {
  return said.map(([kind, nth], i) => {
    const topic = recorded.find((each) => each.topic.includes(`/${kind}/`))?.topic ?? '';
    return nodes.hear('building', topic, bytesOf(kind, nth), i * 60_000);
  });
}

test('every message of a device has one address, whoever copies which topic', () => {
  const heard = session(new SparkplugNodes(), ['NBIRTH'], ['DBIRTH'], ['DDATA']);
  expect(heard.map(({ address }) => address)).toEqual([
    'spBv1.0/store/NDATA/edge-1',
    'spBv1.0/store/DDATA/edge-1/door',
    'spBv1.0/store/DDATA/edge-1/door',
  ]);
  expect(addressOfTopic('spBv1.0/store/DBIRTH/edge-1/door')).toBe(heard[1]?.address);
});

test('a session in order asks for nothing', () => {
  const heard = session(new SparkplugNodes(), ['NBIRTH'], ['DBIRTH'], ['DDATA'], ['DDATA', 1]);
  expect(heard.map(({ ask }) => ask)).toEqual([null, null, null, null]);
});

test('data before a birth, and a gap in the numbers, ask the node for its births', () => {
  const ask = 'spBv1.0/store/NCMD/edge-1';
  expect(session(new SparkplugNodes(), ['DDATA'])[0]?.ask).toBe(ask);
  const gap = session(new SparkplugNodes(), ['NBIRTH'], ['DBIRTH'], ['DDATA', 2]);
  expect(gap[2]).toMatchObject({ ask });
  expect(gap[2]?.payload?.metrics[0]).toMatchObject({ name: 'in', value: 110 });
});

test('a node that is silent about its births is asked again after ten seconds, not before', () => {
  const nodes = new SparkplugNodes();
  const asked = [0, 5_000, 9_999, 10_000].map((at) => {
    return nodes.hear('building', recorded[2]?.topic ?? '', bytesOf('DDATA'), at).ask !== null;
  });
  expect(asked).toEqual([true, false, false, true]);
});

test('a birth of the node ends what was known of its devices', () => {
  const nodes = new SparkplugNodes();
  const heard = session(nodes, ['NBIRTH'], ['DBIRTH'], ['NBIRTH'], ['DDATA']);
  expect(heard[3]?.payload?.unknown_aliases).toEqual(['11', '12']);
});

test('the death of a connection that another has replaced is none', () => {
  const heard = session(new SparkplugNodes(), ['NBIRTH'], ['NDEATH']);
  expect(heard[1]).toMatchObject({ presence: { is_here: false }, ignored: 'sparkplug_death' });
  const nodes = new SparkplugNodes();
  // The same birth with bdSeq 1 in the place of 0.
  const second = Buffer.from(
    bytesOf('NBIRTH')
      .toString('hex')
      .replace('62645365712008' + '5800', '62645365712008' + '5801'),
    'hex',
  );
  nodes.hear('building', 'spBv1.0/store/NBIRTH/edge-1', second, 0);
  const late = nodes.hear('building', 'spBv1.0/store/NDEATH/edge-1', bytesOf('NDEATH'), 1);
  expect(late).toMatchObject({ presence: null, ignored: 'sparkplug_stale_death' });
});

test('the request for births reads as one', () => {
  const { metrics } = decodeSparkplug(rebirthRequest(birthTime));
  expect(metrics).toMatchObject([
    { name: 'Node Control/Rebirth', value: true, timestamp: birthTime },
  ]);
});
