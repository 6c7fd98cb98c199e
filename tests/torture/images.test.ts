import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Hq } from '../support/hq.ts';
import { ImageHq } from './image-hq.ts';
import { tortureWorlds } from './images-torture.ts';

let hq: Hq;
beforeAll(async () => {
  hq = await ImageHq.open();
});
afterAll(() => hq.close());

test('disks and databases put back, sums at the quota: HQ counts what is left once', async () => {
  const { broken } = await tortureWorlds(hq, { runs: 12, seed: 7_000 }, () => {});
  expect(broken, 'replay: npm run torture -- images --runs 1 --seed …').toEqual([]);
}, 120_000);
