/** Devices that speak unasked on a serial line, from their bytes to the counts of their sensors. */
import { expect, test, vi } from 'vitest';
import { openPseudoTerminal, type PseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { eventually } from '../support/frames.ts';
import { command, jsonOf } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

/** A unit and its total, in ASCII hex. */
const speaker = (more: string) => `transport: serial
serial:
  baud: 9600
  framing: { kind: delimited, start: "02", end: "03", encoding: ascii-hex }
codec:
  kind: binary
  length: 3
  fields: [{ name: unit, at: 0, type: u8 }, { name: people, at: 1, type: u16 }]
mapping:
  ${more}
  measures: [{ target: in, path: people, semantics: cumulative, width: 16 }]
`;

function message(unit: number, people: number): Buffer {
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, '0');
  return Buffer.from(`\x02${hex(unit, 2)}${hex(people, 4)}\x03`.toUpperCase());
}

/** A store with such a line, its far end, and what its sensors have counted. */
async function speaking(more: string, ...pairs: string[][]) {
  const line: PseudoTerminal = openPseudoTerminal();
  workspace.onEnd(() => line.close());
  const store = new DoctoredStore(workspace).profile('speaker', speaker(more)).enrolled();
  store.configure({ sources: [{ name: 'line', kind: 'serial', path: line.path }] });
  await store.run();
  const sensor = ['--config', store.config, 'sensor'];
  const how = ['--source', 'line', '--profile', 'speaker'];
  for (const words of pairs) {
    const { stdout, stderr } = await command('footbridge', ...sensor, 'pair', ...words, ...how);
    expect(stdout + stderr).toContain(`paired ${words[0]}`);
  }
  await eventually('the line', async () => (await store.status()).sources[0]?.state === 'running');
  const counted = async (sensor_id: string) => {
    type Shown = { counted: { in: number } };
    return (await jsonOf<Shown>('footbridge', ...sensor, 'show', sensor_id)).counted.in;
  };
  return { store, line, counted };
}

test('a device that has the line for itself needs no number on it', async () => {
  const { store, line, counted } = await speaking('', ['door']);
  for (const people of [10, 13]) line.write(message(7, people));
  await eventually('three people', async () => (await counted('door')) === 3, 20_000);
  expect((await store.status()).buffer.quarantined).toEqual([]);
});

test('devices that share the line are told by the number they say', async () => {
  const units = [
    ['one', '--unit', '1'],
    ['two', '--unit', '2'],
  ];
  const { store, line, counted } = await speaking('unit_path: unit', ...units);
  for (const [unit, people] of [
    [1, 10],
    [2, 70],
    [1, 12],
    [2, 75],
    [9, 1],
  ] as const) {
    line.write(message(unit, people));
  }
  await eventually('five people', async () => (await counted('two')) === 5, 20_000);
  expect(await counted('one')).toBe(2);
  const { quarantined } = (await store.status()).buffer;
  expect(quarantined).toMatchObject([{ reason: 'unknown_unit', count: 1 }]);
});
