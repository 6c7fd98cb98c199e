/** Conservation: whether HQ says of every door and every hour what really walked. Pure. */
import type { Sums, Truth } from './door.ts';
import type { HqHour } from './headquarters.ts';
import type { StorePlan } from './stores.ts';

export interface SensorVerdict {
  readonly organization: string;
  readonly store: string;
  readonly sensor_id: string;
  readonly truth: Sums;
  readonly hq: Sums;
  /** Hours in which HQ differs from the truth. */
  readonly wrong_hours: readonly string[];
}

const hour_ms = 3_600_000;

/** What HQ's hours of one store say about each of its doors, and about doors that it does not have. */
export function judgeStore(
  { organization, code }: StorePlan,
  truths: readonly Truth[],
  hours: readonly HqHour[],
): SensorVerdict[] {
  const walked = new Set(truths.map(({ sensor_id }) => sensor_id));
  const strangers = new Set(
    hours.map(({ sensor_id }) => sensor_id).filter((id) => !walked.has(id)),
  );
  const nobody = [...strangers].map((sensor_id) => {
    return { sensor_id, in: 0, out: 0, quarter_hours: {} };
  });
  return [...truths, ...nobody].map((truth) => {
    const own = hours.filter((hour) => hour.sensor_id === truth.sensor_id);
    return {
      organization,
      store: code,
      sensor_id: truth.sensor_id,
      truth: { in: truth.in, out: truth.out },
      hq: {
        in: own.reduce((sum, hour) => sum + hour.total_in, 0),
        out: own.reduce((sum, hour) => sum + hour.total_out, 0),
      },
      wrong_hours: wrongHours(truth, own),
    };
  });
}

/**
 * HQ cut the hours in the store's zone; the truth knows quarter hours. Each of HQ's hours must hold
 * exactly its own four quarters, and no quarter may lie outside them.
 */
function wrongHours(truth: Truth, hours: readonly HqHour[]): string[] {
  const wrong: string[] = [];
  const unclaimed = new Map(
    Object.entries(truth.quarter_hours).map(([start, sums]) => [Date.parse(start), sums]),
  );
  for (const hour of hours) {
    const from = Date.parse(hour.start_time);
    const walked = { in: 0, out: 0 };
    for (const [start, sums] of unclaimed) {
      if (start < from || start >= from + hour_ms) continue;
      walked.in += sums.in;
      walked.out += sums.out;
      unclaimed.delete(start);
    }
    if (walked.in !== hour.total_in || walked.out !== hour.total_out) wrong.push(hour.start_time);
  }
  for (const [start, sums] of unclaimed) {
    if (sums.in + sums.out > 0) wrong.push(new Date(start).toISOString());
  }
  return wrong;
}

/** People who walked and are missing at HQ, and people at HQ who never walked. */
export function differences(verdicts: readonly SensorVerdict[]): { lost: number; doubled: number } {
  let lost = 0;
  let doubled = 0;
  for (const { truth, hq } of verdicts) {
    for (const direction of ['in', 'out'] as const) {
      lost += Math.max(0, truth[direction] - hq[direction]);
      doubled += Math.max(0, hq[direction] - truth[direction]);
    }
  }
  return { lost, doubled };
}
