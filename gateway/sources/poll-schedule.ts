/**
 * Which unit of a bus is asked next. Pure: times come in, decisions go out.
 *
 * A unit that does not answer takes bus time from those that do, so it has a budget: a small share
 * of all time, saved up to one timeout. A unit that misses one answer is therefore asked again at
 * its next beat, and a dead one costs its share and no more. A unit that answers that it cannot is
 * asked more and more rarely, so that it does not fill the quarantine.
 */

import type { UnitStatus } from './source.ts';

/** What is asked of one unit. */
export interface Poll {
  /** Address of the frames, for example `unit/5`. One poll an address. */
  readonly address: string;
  readonly every_ms: number;
  /** How long the unit may take to answer. */
  readonly timeout_ms: number;
  /** The device behind it, where several polls share one: they share its budget. */
  readonly device?: string;
}

/** With the one early retry it stays below two percent in any ten minutes. */
const silent_share = 0.0175;
/** Where nobody else waits for the bus, a unit that came back is seen within this time. */
const unit_backoff_cap_ms = 60_000;

interface Unit<P extends Poll> {
  poll: P;
  due_at: number;
  /** Frames not on disk yet; asking again would only queue more of them in memory. */
  held: number;
  state: UnitStatus['state'];
  missed: number;
  error: string | null;
  noise: string | null;
}

/** Times are any monotonic clock's milliseconds. */
export class PollSchedule<P extends Poll> {
  #units = new Map<string, Unit<P>>();
  /** Bus time that each device may still waste, and when that was so; less than 0: owed. */
  readonly #budgets = new Map<string, { ms: number; at: number }>();

  /** Sets what is polled from now on. A unit that stays keeps its turn and its state. */
  replace(polls: readonly P[], now: number): void {
    const units = new Map<string, Unit<P>>();
    for (const poll of polls) {
      const known = this.#units.get(poll.address);
      const isSame = known?.poll.every_ms === poll.every_ms;
      units.set(poll.address, {
        held: 0,
        state: 'unasked',
        missed: 0,
        error: null,
        noise: null,
        ...known,
        due_at: known !== undefined && isSame ? known.due_at : now,
        poll,
      });
      const device = deviceOf(poll);
      if (!this.#budgets.has(device)) this.#budgets.set(device, { ms: 0, at: now });
    }
    if (units.size < polls.length) {
      throw new Error(
        `two polls share an address: ${polls.map((poll) => poll.address).join(', ')}`,
      );
    }
    this.#units = units;
  }

  /** The poll that is due longest, or how long nothing will be due. */
  next(now: number): { poll: P } | { wait_ms: number } {
    const free = [...this.#units.values()].filter((unit) => unit.held === 0);
    let first: Unit<P> | undefined;
    let first_due_at = Number.POSITIVE_INFINITY;
    for (const unit of free) {
      const due_at = this.#dueAt(unit);
      if (due_at >= first_due_at) continue;
      first = unit;
      first_due_at = due_at;
    }
    if (first === undefined) return { wait_ms: Number.POSITIVE_INFINITY };
    return first_due_at <= now ? { poll: first.poll } : { wait_ms: first_due_at - now };
  }

  /** What is asked at this address now; undefined when the unit was taken off. */
  pollAt(address: string): P | undefined {
    return this.#units.get(address)?.poll;
  }

  /** The unit gave a usable answer. */
  answered(address: string, now: number): void {
    const unit = this.#units.get(address);
    if (unit === undefined) return;
    const { every_ms } = unit.poll;
    unit.state = 'answering';
    unit.missed = 0;
    unit.error = null;
    unit.noise = null;
    // A fixed beat, so that intervals have the length that was asked for; what was missed is not
    // made up for.
    unit.due_at = Math.min(Math.max(unit.due_at + every_ms, now), now + every_ms);
  }

  /** The unit was not asked, and cannot be before this time. */
  postpone(address: string, until: number): void {
    const unit = this.#units.get(address);
    if (unit !== undefined) unit.due_at = Math.max(unit.due_at, until);
  }

  /** A frame of the unit was handed on: it is not asked again before {@link release}. */
  hold(address: string): void {
    const unit = this.#units.get(address);
    if (unit !== undefined) unit.held += 1;
  }

  /** What one of the held frames says is on disk. */
  release(address: string): void {
    const unit = this.#units.get(address);
    if (unit !== undefined) unit.held = Math.max(0, unit.held - 1);
  }

  /**
   * The unit gave no usable answer.
   *
   * @param cost_ms bus time from the request until the next one can be made.
   * @param noise hex of what was heard instead, or null.
   */
  missed(
    address: string,
    state: 'silent' | 'faulty',
    error: string,
    now: number,
    cost_ms: number,
    noise: string | null = null,
  ): void {
    const unit = this.#units.get(address);
    if (unit === undefined) return;
    const { every_ms } = unit.poll;
    this.#charge(deviceOf(unit.poll), cost_ms, now);
    const rarer_ms = Math.min(
      every_ms * 2 ** Math.min(unit.missed, 20),
      Math.max(unit_backoff_cap_ms, every_ms),
    );
    const isBudgeted = state === 'silent' && this.#othersWait(unit.poll);
    unit.state = state;
    unit.error = error;
    unit.noise = noise;
    unit.missed += 1;
    unit.due_at = now + (isBudgeted ? every_ms : rarer_ms);
  }

  /** The bus was away: no unit is to blame, so all are asked as soon as it is back. */
  retryAll(now: number): void {
    for (const unit of this.#units.values()) {
      unit.due_at = Math.min(unit.due_at, now);
      unit.missed = 0;
    }
    for (const budget of this.#budgets.values()) Object.assign(budget, { ms: 0, at: now });
  }

  units(): UnitStatus[] {
    return [...this.#units.values()].map(({ poll, state, missed, error, noise }) => {
      return { address: poll.address, state, missed, error, noise };
    });
  }

  /** A silent unit waits until its device owes nothing, unless nobody else needs the bus. */
  #dueAt(unit: Unit<P>): number {
    const budget = this.#budgets.get(deviceOf(unit.poll));
    if (unit.state !== 'silent' || budget === undefined || budget.ms >= 0) return unit.due_at;
    if (!this.#othersWait(unit.poll)) return unit.due_at;
    return Math.max(unit.due_at, budget.at - budget.ms / silent_share);
  }

  #charge(device: string, cost_ms: number, now: number): void {
    const { ms, at } = this.#budgets.get(device) ?? { ms: 0, at: now };
    const saved_ms = Math.min(cost_ms, ms + (now - cost_ms - at) * silent_share);
    this.#budgets.set(device, { ms: saved_ms - cost_ms, at: now });
  }

  #othersWait(poll: P): boolean {
    const device = deviceOf(poll);
    return [...this.#units.values()].some(
      ({ poll: other, state }) =>
        (state === 'answering' || state === 'unasked') && deviceOf(other) !== device,
    );
  }
}

function deviceOf(poll: Poll): string {
  return poll.device ?? poll.address;
}
