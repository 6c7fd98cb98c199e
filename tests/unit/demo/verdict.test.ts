import { expect, test } from 'vitest';
import { stores } from '../../../demo/stores.ts';
import { differences, judgeStore } from '../../../demo/verdict.ts';

const [madrid] = stores;
const ten = '2025-03-01T10:00:00.000Z';
const eleven = '2025-03-01T11:00:00.000Z';

function judge(hours: readonly { sensor_id: string; start_time: string; total_in: number }[]) {
  if (madrid === undefined) throw new Error('there is no store');
  const truth = {
    sensor_id: 'front-door',
    in: 5,
    out: 0,
    quarter_hours: { [ten]: { in: 3, out: 0 }, [eleven]: { in: 2, out: 0 } },
  };
  const verdicts = judgeStore(
    madrid,
    [truth],
    hours.map((hour) => ({ ...hour, total_out: 0 })),
  );
  return { ...differences(verdicts), wrong_hours: verdicts.flatMap((each) => each.wrong_hours) };
}

const front = { sensor_id: 'front-door' };

test('what walked and stands at HQ by sensor and hour is right', () => {
  const hours = [
    { ...front, start_time: ten, total_in: 3 },
    { ...front, start_time: eleven, total_in: 2 },
  ];
  expect(judge(hours)).toEqual({ lost: 0, doubled: 0, wrong_hours: [] });
});

test('people in another hour are neither lost nor doubled, but wrong', () => {
  expect(judge([{ ...front, start_time: ten, total_in: 5 }])).toEqual({
    lost: 0,
    doubled: 0,
    wrong_hours: [ten, eleven],
  });
});

test('people under a door that the store does not have are seen', () => {
  const hours = [
    { ...front, start_time: ten, total_in: 3 },
    { ...front, start_time: eleven, total_in: 2 },
    { sensor_id: 'no-door', start_time: ten, total_in: 2 },
  ];
  expect(judge(hours)).toEqual({ lost: 0, doubled: 2, wrong_hours: [ten] });
});
