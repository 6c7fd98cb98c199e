import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ModbusPoll,
  modbusBlocks,
  partsOf,
  registers_max,
} from '../../../gateway/sources/modbus-blocks.ts';

function poll(start: number, count: number, change: Partial<ModbusPoll> = {}): ModbusPoll {
  const unit = change.unit ?? 5;
  return {
    address: `unit/${unit}/register/${start}`,
    unit,
    function: 4,
    start,
    count,
    every_ms: 1000,
    timeout_ms: 200,
    ...change,
  };
}

const line = { by_length: true, exact: new Set<string>() };
const tcp = { by_length: false, exact: new Set<string>() };

/** Function, unit and registers of each request. */
function asked(polls: ModbusPoll[], rules = line) {
  return modbusBlocks(polls, rules).map(({ unit, function: code, start, count }) => {
    return `${unit}:${code}:${start}+${count}`;
  });
}

describe('one request for what lies together', () => {
  test('two doors on one counter module', () => {
    expect(asked([poll(4, 4), poll(0, 4)])).toEqual(['5:4:0+8']);
  });

  test('nothing is read between blocks that do not touch: it may not exist', () => {
    expect(asked([poll(0, 2), poll(3, 2)], tcp)).toEqual(['5:4:0+2', '5:4:3+2']);
  });

  test.each([
    ['another unit', poll(2, 2, { unit: 6 })],
    ['another function', poll(2, 2, { function: 3 })],
    ['another beat', poll(2, 2, { every_ms: 50 })],
  ])('%s is another request', (_what, other) => {
    expect(modbusBlocks([poll(0, 2), other], tcp)).toHaveLength(2);
  });

  test('a request has at most 125 registers, and no poll is cut', () => {
    expect(asked([poll(0, 100), poll(100, 30)], tcp)).toEqual(['5:4:0+100', '5:4:100+30']);
  });

  test('each poll gets its own registers of the answer', () => {
    const [block] = modbusBlocks([poll(2, 1), poll(0, 2)], line);
    expect(block && partsOf(block, Uint8Array.of(0, 1, 0x11, 0x70, 0, 7))).toEqual([
      { address: 'unit/5/register/0', bytes: Uint8Array.of(0, 1, 0x11, 0x70) },
      { address: 'unit/5/register/2', bytes: Uint8Array.of(0, 7) },
    ]);
  });
});

describe('answers that name no registers', () => {
  test('one of two blocks of one length reads a register more', () => {
    expect(asked([poll(0, 2), poll(10, 2)])).toEqual(['5:4:0+2', '5:4:10+3']);
  });

  test('where a unit refuses that, the other one does', () => {
    const exact = new Set(['unit/5/register/10']);
    const rules = { by_length: true, exact };
    expect(asked([poll(0, 2), poll(10, 2)], rules)).toEqual(['5:4:0+3', '5:4:10+2']);
  });

  test('where it refuses both, one of them is not asked, and says why', () => {
    const exact = new Set(['unit/5/register/0', 'unit/5/register/10']);
    const blocks = modbusBlocks([poll(0, 2), poll(10, 2)], { by_length: true, exact });
    expect(blocks.map(({ fault }) => fault)).toEqual([null, expect.stringContaining('told from')]);
  });
});

const polls = fc.uniqueArray(
  fc.record({
    unit: fc.integer({ min: 1, max: 3 }),
    function: fc.constantFrom(3 as const, 4 as const),
    start: fc.integer({ min: 0, max: 300 }),
    count: fc.integer({ min: 1, max: 8 }),
    every_ms: fc.constantFrom(500, 1000),
  }),
  { selector: (one) => `${one.unit}/${one.start}`, maxLength: 40 },
);

test('whatever is polled: every poll is whole in one request, and no two answers look alike', () => {
  fc.assert(
    fc.property(polls, (wanted) => {
      const all = wanted.map(({ start, count, ...rest }) => poll(start, count, rest));
      const blocks = modbusBlocks(all, line);
      expect(blocks.flatMap((block) => block.polls)).toHaveLength(all.length);
      for (const block of blocks) {
        expect(block.count).toBeLessThanOrEqual(registers_max);
        for (const { start, count } of block.polls) {
          expect(start).toBeGreaterThanOrEqual(block.start);
          expect(start + count).toBeLessThanOrEqual(block.start + block.count - block.spare);
        }
      }
      const askable = blocks.filter(({ fault }) => fault === null);
      const names = askable.map(({ unit, function: code, count }) => `${unit}/${code}/${count}`);
      expect(new Set(names).size).toBe(names.length);
    }),
  );
});
