/**
 * A Modbus RTU line on which most answers go wrong, read by the gateway's own source in virtual
 * time. Every register holds a value that names its owner, so a value under another address shows.
 */

import { ModbusSource } from '../../gateway/sources/modbus.ts';
import type { ModbusPoll } from '../../gateway/sources/modbus-blocks.ts';
import { rtuBus } from '../../gateway/sources/modbus-rtu.ts';
import type { Frame } from '../../gateway/sources/source.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { deliveriesOf, type Fate, fates, registerBytes } from './rtu-fates.ts';
import { type Seeded, seeded } from './seeded.ts';
import { type VirtualClock, virtualClock } from './virtual-clock.ts';

export const units = 6;
const timeout_ms = 60;
/** The source takes no answer for another register's within ten seconds of its request. */
const late_ms = 9_900;
/** How often sensors are paired anew, so that answers change their meaning. */
const pairing_every = 400;

export interface RtuResult {
  readonly seed: number;
  /** Requests that the line answered, or did not. */
  readonly answers: number;
  readonly by_fate: Record<Fate, number>;
  /** Values that reached the pipeline. */
  readonly values: number;
  /** Values that were not those of the register that they came under. */
  readonly wrong: number;
  /** The first of them. */
  readonly first_wrong: string | null;
}

/** What is read of every unit: blocks that touch, that do not, and that are of one length. */
export function pollsOf(variant: number): ModbusPoll[] {
  const wanted: readonly [3 | 4, number, number][] = [
    [4, 0, 2],
    [4, 2, 2],
    [4, 10 + variant, 4],
    [3, 0, 2],
    [3, 20 + variant, 2],
  ];
  return Array.from({ length: units }, (_, i) => i + 1).flatMap((unit) =>
    wanted.map(([code, start, count]) => ({
      address: `${unit}/${code}/${start}/${count}`,
      unit,
      function: code,
      start,
      count,
      every_ms: 50,
      timeout_ms,
    })),
  );
}

export async function tortureRtu(answers: number, seed: number): Promise<RtuResult> {
  const random = seeded(seed);
  const clock = virtualClock(random.next);
  const line = new BadLine(clock, random);
  const seen = { values: 0, wrong: 0, first_wrong: null as string | null };
  const source = new ModbusSource({
    name: 'line',
    bus: rtuBus(4, clock, async (_stop, data) => {
      line.hear = data;
      return line;
    }),
    accept: async (frame) => {
      if (frame.fault !== undefined) return;
      seen.values += 1;
      if (isRight(frame)) return;
      seen.wrong += 1;
      seen.first_wrong ??= `${frame.address}: ${Buffer.from(frame.bytes).toString('hex')}`;
    },
    clock,
    log: silentLog,
  });
  source.setPolls(pollsOf(0));
  await source.start();
  for (let variant = 1; line.answers < answers; variant += 1) {
    const until = Math.min(answers, variant * pairing_every);
    await clock.runUntil(() => line.answers >= until);
    source.setPolls(pollsOf(variant % 3));
  }
  let isStopped = false;
  const stopped = source.stop().then(() => {
    isStopped = true;
  });
  await clock.runUntil(() => isStopped);
  await stopped;
  return { seed, answers: line.answers, by_fate: line.by_fate, ...seen };
}

/** Whether the bytes are those of the registers that the address names. */
export function isRight({ address, bytes }: Pick<Frame, 'address' | 'bytes'>): boolean {
  const [unit = 0, code = 0, start = 0, count = 0] = address.split('/').map(Number);
  const truth = registerBytes({ unit, function: code === 3 ? 3 : 4, start, count });
  return Buffer.from(truth).equals(bytes);
}

class BadLine {
  readonly lost = new AbortController().signal;
  readonly by_fate = Object.fromEntries(fates.map((fate) => [fate, 0])) as Record<Fate, number>;
  hear = (_chunk: Uint8Array) => {};
  answers = 0;
  readonly #clock: VirtualClock;
  readonly #random: Seeded;

  constructor(clock: VirtualClock, random: Seeded) {
    this.#clock = clock;
    this.#random = random;
  }

  write(request: Uint8Array): void {
    const bytes = Buffer.from(request);
    const question = {
      unit: bytes.readUInt8(0),
      function: bytes.readUInt8(1) === 3 ? 3 : 4,
      start: bytes.readUInt16BE(2),
      count: bytes.readUInt16BE(4),
    } as const;
    const random = this.#random;
    const fate = random.next() < 0.35 ? 'good' : random.pick(fates);
    this.answers += 1;
    this.by_fate[fate] += 1;
    // Some adapters hear themselves.
    if (random.next() < 0.1) this.#deliver(0, request);
    const patience = { timeout_ms, late_ms };
    for (const { after_ms, bytes } of deliveriesOf(fate, question, units, patience, random)) {
      this.#deliver(after_ms, bytes);
    }
  }

  async flush(): Promise<void> {}

  async close(): Promise<void> {}

  #deliver(after_ms: number, bytes: Uint8Array): void {
    this.#clock.after(after_ms, () => this.hear(bytes));
  }
}
