import { expect, test } from 'vitest';
import { firstStore } from '../../bench/first-store.ts';

test('from the enrolment to a passed walk test, by typing what the command before has printed', async () => {
  const seen = await firstStore(0, 'tree');
  const said = seen.commands.map((line) =>
    line
      .replace(/--config \S+ /, '')
      .split(' ')
      .slice(1, 3),
  );
  expect(said).toEqual([
    ['enroll', '--hq'],
    ['sensor', 'discover'],
    ['sensor', 'pair'],
    ['sensor', 'walk-test'],
    ['doctor'],
  ]);
  expect(seen.walk_test).toBe('PASSED');
  expect(seen.walk_test_s).toBeLessThan(90);
  expect(seen.at_hq).toMatchObject({ sensor_id: 'front-door', stage: 'tuned' });
}, 150_000);
