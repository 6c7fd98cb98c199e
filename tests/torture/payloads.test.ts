import { expect, test } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { torturePayloads } from './payloads.ts';

test('20,000 damaged payloads: none crashes or stalls, each is accounted for', async () => {
  const seed = Math.floor(systemClock.random() * 1e6);
  const result = await torturePayloads(20_000, seed);
  expect(result, `replay: npm run torture -- payloads --runs 20000 --seed ${seed}`).toMatchObject({
    crashes: 0,
    stalls: 0,
    first: null,
  });
  expect(result.records + result.ignored + result.faults).toBe(20_000);
}, 120_000);
