/** What one dead unit of 32 costs the others on an RS-485 line, in virtual time. */
import { ModbusSource } from '../../gateway/sources/modbus.ts';
import { rtuBus } from '../../gateway/sources/modbus-rtu.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { answerFrame } from './rtu-fates.ts';
import { seeded } from './seeded.ts';
import { virtualClock } from './virtual-clock.ts';

const units = 32;
const dead_unit = 17;
const beat_ms = 2_000;
const timeout_ms = 1_000;
/** The unit answers for this long before it dies. */
const alive_ms = 60_000;
const hours = 1;

export interface DeadUnitResult {
  /** Bus time that its requests took after the first one timed out. */
  readonly share: number;
  readonly hours: number;
  readonly beat_ms: number;
  /** Longest pause between two requests to a unit that answers. */
  readonly slowest_beat_ms: number;
}

export async function deadUnitShare(seed: number): Promise<DeadUnitResult> {
  const random = seeded(seed);
  const clock = virtualClock(random.next);
  const asked_at = new Map<number, number>();
  let hear = (_chunk: Uint8Array) => {};
  let waiting_since: number | null = null;
  let first_timeout_at: number | null = null;
  let wasted_ms = 0;
  let slowest_beat_ms = 0;
  const write = (bytes: Uint8Array) => {
    const now = clock.monotonic();
    // The bus is free again when the next unit is asked.
    if (waiting_since !== null) {
      if (first_timeout_at === null) first_timeout_at = now;
      else wasted_ms += now - waiting_since;
      waiting_since = null;
    }
    const unit = bytes[0] ?? 0;
    if (unit === dead_unit && now > alive_ms) {
      waiting_since = now;
      return;
    }
    slowest_beat_ms = Math.max(slowest_beat_ms, now - (asked_at.get(unit) ?? now));
    asked_at.set(unit, now);
    const question = { unit, function: 4, start: 0, count: 2 } as const;
    // 17 bytes at 9600 baud, and the unit's own time.
    clock.after(20 + random.below(20), () => hear(answerFrame(question)));
  };
  const source = new ModbusSource({
    name: 'line',
    bus: rtuBus(9, clock, async (_stop, data) => {
      hear = data;
      const lost = new AbortController().signal;
      return { lost, write, flush: async () => {}, close: async () => {} };
    }),
    accept: async () => {},
    clock,
    log: silentLog,
  });
  source.setPolls(
    Array.from({ length: units }, (_, i) => {
      const unit = i + 1;
      const address = `unit/${unit}`;
      const block = { function: 4, start: 0, count: 2 } as const;
      return { address, unit, ...block, every_ms: beat_ms, timeout_ms };
    }),
  );
  await source.start();
  const end = alive_ms + hours * 3_600_000;
  await clock.runUntil(() => clock.monotonic() >= end);
  const share = wasted_ms / (clock.monotonic() - (first_timeout_at ?? 0));
  let isStopped = false;
  const stopped = source.stop().then(() => {
    isStopped = true;
  });
  await clock.runUntil(() => isStopped);
  await stopped;
  return { share, hours, beat_ms, slowest_beat_ms: Math.round(slowest_beat_ms) };
}
