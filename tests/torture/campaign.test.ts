import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Campaign } from './campaign.ts';

const folder = mkdtempSync(join(tmpdir(), 'footbridge-campaign-'));
afterAll(() => rmSync(folder, { recursive: true }));

const tortured = (seed: number, kills: number, lost: number) => ({
  lines: [],
  isHeld: lost === 0,
  document: { seed, kills, lost, scenarios: [{ name: 'HQ killed', count: kills }] },
});

test('seeds add up over campaigns that share a file, and one that broke the law is named', () => {
  const path = join(folder, 'kills.jsonl');
  const one = new Campaign(path);
  one.keep(1, tortured(1, 30, 0));
  const other = new Campaign(path);
  other.keep(7, tortured(7, 12, 2));
  expect([1, 2, 7].filter((seed) => one.has(seed))).toEqual([1, 7]);
  expect(one.result()).toMatchObject({
    isHeld: false,
    document: {
      kills: 42,
      lost: 2,
      scenarios: [{ name: 'HQ killed', count: 42 }],
      seeds: [1, 7],
      broken: [7],
    },
  });
});
