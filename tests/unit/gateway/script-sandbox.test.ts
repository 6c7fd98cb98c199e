import { beforeAll, expect, test } from 'vitest';
import type { RunScript } from '../../../gateway/profiles/measure.ts';
import { openSandbox } from '../../../gateway/profiles/script-sandbox.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

let run: RunScript;
beforeAll(async () => {
  run = await openSandbox(systemClock);
});
const bytes = Uint8Array.of(0x05, 0xcc, 0x02, 0x00, 0x01, 0x00);

/** Written as vendors write: TS013, with the two older entry points beside it. */
const vendor = `
  function decodeUplink(input) { return { data: read(input.bytes, input.fPort) }; }
  function Decode(fPort, bytes) { return read(bytes, fPort); }
  function read(bytes, port) {
    var i = 2;
    return { port: port, people_in: bytes[i] | (bytes[i + 1] << 8), sum: bytes.slice(0, 2).length };
  }`;

test('a payload codec of the LoRa Alliance API runs as it is', () => {
  expect(run(vendor, bytes, 85)).toEqual({ port: 85, people_in: 2, sum: 2 });
});

test.each([
  ['ChirpStack v3', 'function Decode(fPort, bytes) { return { n: bytes.length, fPort: fPort }; }'],
  [
    'The Things Network v2',
    'function Decoder(bytes, port) { return { n: bytes.length, fPort: port }; }',
  ],
])('so does one of the older form of %s', (_server, source) => {
  expect(run(source, bytes, 2)).toEqual({ n: 6, fPort: 2 });
});

test('an error that the script reports is a fault with its words', () => {
  const source = "function decodeUplink() { return { errors: ['unknown FPort'] }; }";
  expect(() => run(source, bytes, 1)).toThrow('unknown FPort');
});

test('an endless loop ends at its deadline, and the next frame is read', () => {
  const source =
    'function decodeUplink(input) { while (input.fPort === 9) {} return { data: { n: 1 } }; }';
  const before = systemClock.monotonic();
  expect(() => run(source, bytes, 9)).toThrow('interrupted');
  // The limit is 20 ms; the rest is what a busy test machine may take away from us.
  expect(systemClock.monotonic() - before).toBeLessThan(500);
  expect(run(source, bytes, 1)).toEqual({ n: 1 });
});

test.each([
  ['a list that grows', 'var all = []; while (true) all.push([1, 2, 3, 4]);'],
  ['a text that doubles', "var all = 'x'; while (true) all += all;"],
  ['a call into itself', 'function again() { return again() + 1; } again();'],
])('a memory bomb is stopped: %s', (_what, bomb) => {
  const source = `function decodeUplink(input) { if (input.fPort === 9) { ${bomb} } return { data: 1 }; }`;
  expect(() => run(source, bytes, 9)).toThrow('the script failed');
  expect(run(source, bytes, 1)).toBe(1);
});

test('a script that cannot be parsed says so', () => {
  expect(() => run('function decodeUplink( {', bytes, 1)).toThrow('the script failed');
});

test('a script reaches nothing of this process', () => {
  const source =
    'function decodeUplink() { return { data: [typeof process, typeof require, typeof fetch] }; }';
  expect(run(source, bytes, 1)).toEqual(['undefined', 'undefined', 'undefined']);
});
