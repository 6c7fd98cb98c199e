import { expect, test } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { tortureThePath } from './path.ts';

test('older images of the disk put back while sensors count: HQ has all that is left once', async () => {
  const seed = Math.floor(systemClock.random() * 1e6);
  const breaches: string[] = [];
  const tell = (text: string) => breaches.push(text);
  const result = await tortureThePath({ runs: 5, images: 3, seed, tell });
  const replay = `npm run torture -- path --runs 5 --images 3 --seed ${seed}`;
  expect(result, `${breaches.join('; ')}; replay: ${replay}`).toMatchObject({
    lost: 0,
    doubled: 0,
    misstated: 0,
    buffered: 0,
  });
}, 600_000);
