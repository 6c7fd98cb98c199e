import { expect, test } from 'vitest';
import { doors, minutes, nearItsQuota, peopleIn } from '../support/minutes-on-disk.ts';

test('what a restored HQ lacks is sent again or stands in the ledger, also what was in a sum that is gone', () => {
  // The oldest row that is left is a door's sum of a quarter hour; that of another door has just gone.
  for (const delivered_rows of [1_154, 1_153]) {
    const disk = nearItsQuota({ delivered_rows });
    const { epoch } = disk.log.stats();
    disk.drain(7);
    disk.hear([{ epoch, settled: [] }]);
    const again = disk.drain(1);
    const [forgotten] = disk.log.stats().quarantined;
    expect(forgotten?.reason).toBe('forgotten_by_hq');
    expect(peopleIn(again) + (forgotten?.count ?? 0)).toBe(minutes * doors.length);
    const settled = again.flatMap((batch) => {
      const { first_sequence, last_sequence, absent = [], included = [] } = batch;
      const range = Array.from(
        { length: last_sequence - first_sequence + 1 },
        (_, i) => first_sequence + i,
      );
      return [...range.filter((one) => !absent.includes(one)), ...included];
    });
    expect(settled.sort((a, b) => a - b)).toEqual(
      Array.from({ length: minutes * doors.length }, (_, i) => i + 1),
    );
    disk.log.close();
  }
});
