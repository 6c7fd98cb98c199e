import { expect, test } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { tortureThePath } from './path.ts';

test('50 kills and power cuts while sensors count: HQ has everything exactly once', async () => {
  const seed = Math.floor(systemClock.random() * 1e6);
  const result = await tortureThePath({ runs: 50, seed });
  expect(result, `replay: npm run torture -- --runs 50 --seed ${seed}`).toMatchObject({
    lost: 0,
    doubled: 0,
    buffered: 0,
  });
  expect(result.kills + result.power_cuts).toBe(50);
}, 600_000);
