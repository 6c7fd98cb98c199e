import { afterAll, expect, test } from 'vitest';
import { ScriptSandbox } from '../../../gateway/profiles/script-sandbox.ts';
import { systemClock } from '../../../shared/runtime/clock.ts';

const sandbox = new ScriptSandbox(systemClock);
const { run } = sandbox;
afterAll(() => sandbox.close());
const bytes = Uint8Array.of(0x05, 0xcc, 0x02, 0x00, 0x01, 0x00);

/** Written as vendors write: TS013, with the two older entry points beside it. */
const vendor = `
  function decodeUplink(input) { return { data: read(input.bytes, input.fPort) }; }
  function Decode(fPort, bytes) { return read(bytes, fPort); }
  function read(bytes, port) {
    var i = 2;
    return { port: port, people_in: bytes[i] | (bytes[i + 1] << 8), sum: bytes.slice(0, 2).length };
  }`;

test('a payload codec of the LoRa Alliance API runs as it is', async () => {
  expect(await run(vendor, bytes, 85)).toEqual({ port: 85, people_in: 2, sum: 2 });
});

test.each([
  ['ChirpStack v3', 'function Decode(fPort, bytes) { return { n: bytes.length, fPort: fPort }; }'],
  [
    'The Things Network v2',
    'function Decoder(bytes, port) { return { n: bytes.length, fPort: port }; }',
  ],
])('so does one of the older form of %s', async (_server, source) => {
  expect(await run(source, bytes, 2)).toEqual({ n: 6, fPort: 2 });
});

test('an error that the script reports is a fault with its words', async () => {
  const source = "function decodeUplink() { return { errors: ['unknown FPort'] }; }";
  await expect(run(source, bytes, 1)).rejects.toThrow('unknown FPort');
});

/** Runs while the script does; the longest that this thread was held up meanwhile, ms. */
async function longestPause(running: Promise<unknown>): Promise<number> {
  let longest = 0;
  let over = false;
  const end = () => {
    over = true;
  };
  void running.then(end, end);
  for (let last = systemClock.monotonic(); !over; ) {
    await systemClock.sleep(1);
    const now = systemClock.monotonic();
    longest = Math.max(longest, now - last);
    last = now;
  }
  return longest;
}

test.each([
  ['an endless loop', 'while (true) {}'],
  ['one huge built-in call', 'Array.from({ length: 700000 }, (x, i) => -i).sort();'],
  [
    'a regular expression that goes back and forth for ever',
    "/^(a+)+$/.test('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab');",
  ],
  ['a long search', "var a = 'a'.repeat(3000000); while (true) a.lastIndexOf(a.slice(1) + 'b');"],
])('%s ends at its limit, holds up nobody, and the next frame is read', async (_what, work) => {
  const source = `function decodeUplink(input) { if (input.fPort === 9) { ${work} } return { data: 1 }; }`;
  expect(await run(source, bytes, 1)).toBe(1);
  const before = systemClock.monotonic();
  const running = run(source, bytes, 9);
  const refused = expect(running).rejects.toThrow(/interrupted|longer than 20 ms|out of memory/);
  const pause = await longestPause(running);
  await refused;
  // The limits are 20 and 50 ms; the rest is what a busy test machine may take away from us.
  expect(systemClock.monotonic() - before).toBeLessThan(1_000);
  expect(pause).toBeLessThan(500);
  expect(await run(source, bytes, 1)).toBe(1);
});

test('frames behind a script that was ended are answered in their order', async () => {
  const source =
    "function decodeUplink(input) { if (input.fPort === 9) /^(a+)+$/.test('a'.repeat(40) + 'b'); return { data: input.fPort }; }";
  const settled = await Promise.allSettled([1, 9, 2, 9, 3].map((port) => run(source, bytes, port)));
  expect(settled.map((each) => (each.status === 'fulfilled' ? each.value : 'ended'))).toEqual([
    1,
    'ended',
    2,
    'ended',
    3,
  ]);
});

test('an answer longer than any message is refused', async () => {
  const source = "function decodeUplink() { return { data: 'x'.repeat(300000) }; }";
  await expect(run(source, bytes, 1)).rejects.toThrow('too much');
});

test.each([
  ['a list that grows', 'var all = []; while (true) all.push([1, 2, 3, 4]);'],
  ['a text that doubles', "var all = 'x'; while (true) all += all;"],
  ['a call into itself', 'function again() { return again() + 1; } again();'],
])('a memory bomb is stopped: %s', async (_what, bomb) => {
  const source = `function decodeUplink(input) { if (input.fPort === 9) { ${bomb} } return { data: 1 }; }`;
  // 16 MiB or 20 ms, whichever a machine comes to first.
  await expect(run(source, bytes, 9)).rejects.toThrow(/the script (failed|ran longer)/);
  expect(await run(source, bytes, 1)).toBe(1);
});

test('a script that cannot be parsed says so', async () => {
  await expect(run('function decodeUplink( {', bytes, 1)).rejects.toThrow('the script failed');
});

test('a script reaches nothing of this process', async () => {
  const source =
    'function decodeUplink() { return { data: [typeof process, typeof require, typeof fetch] }; }';
  expect(await run(source, bytes, 1)).toEqual(['undefined', 'undefined', 'undefined']);
});
