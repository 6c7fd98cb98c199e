import { expect, test } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { tortureThePath } from './path.ts';

/** Some fifty kills, and a power cut beside every fourth. */
const runs = 63;
const kills_per_cut = 4;

test('some 50 kills, and power cuts, while sensors count: HQ has everything exactly once', async () => {
  const seed = Math.floor(systemClock.random() * 1e6);
  const result = await tortureThePath({ runs, kills_per_cut, seed });
  const replay = `--runs ${runs} --kills-per-cut ${kills_per_cut} --seed ${seed}`;
  expect(result, `replay: npm run torture -- ${replay}`).toMatchObject({
    lost: 0,
    doubled: 0,
    buffered: 0,
  });
  expect(result.kills + result.power_cuts).toBe(runs);
}, 600_000);
