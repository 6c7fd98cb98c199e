/**
 * Which unit of a bus is asked next. Pure: times come in, decisions go out.
 *
 * A unit that does not answer, or answers that it cannot, is asked more and more rarely, so that it
 * costs the others little and does not fill the quarantine.
 */

import type { UnitStatus } from './source.ts';

/** What is asked of one unit. */
export interface Poll {
  /** Address of the frames, for example `unit/5`. One poll an address. */
  readonly address: string;
  readonly every_ms: number;
  /** How long the unit may take to answer. */
  readonly timeout_ms: number;
}

/** A unit that came back is seen within this time. */
const unit_backoff_cap_ms = 60_000;

interface Unit<P extends Poll> {
  poll: P;
  due_at: number;
  /** Frames not on disk yet; asking again would only queue more of them in memory. */
  held: number;
  state: UnitStatus['state'];
  missed: number;
  error: string | null;
}

/** Times are any monotonic clock's milliseconds. */
export class PollSchedule<P extends Poll> {
  #units = new Map<string, Unit<P>>();

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
        ...known,
        due_at: known !== undefined && isSame ? known.due_at : now,
        poll,
      });
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
    const first = free.reduce<Unit<P> | undefined>(
      (best, unit) => (best === undefined || unit.due_at < best.due_at ? unit : best),
      undefined,
    );
    if (first === undefined) return { wait_ms: Number.POSITIVE_INFINITY };
    return first.due_at <= now ? { poll: first.poll } : { wait_ms: first.due_at - now };
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
    // A fixed beat, so that intervals have the length that was asked for; what was missed is not
    // made up for.
    unit.due_at = Math.min(Math.max(unit.due_at + every_ms, now), now + every_ms);
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

  /** The unit gave no usable answer. */
  missed(address: string, state: 'silent' | 'faulty', error: string, now: number): void {
    const unit = this.#units.get(address);
    if (unit === undefined) return;
    const pause_ms = unit.poll.every_ms * 2 ** Math.min(unit.missed, 20);
    unit.state = state;
    unit.error = error;
    unit.missed += 1;
    unit.due_at = now + Math.min(pause_ms, Math.max(unit_backoff_cap_ms, unit.poll.every_ms));
  }

  /** The bus was away: no unit is to blame, so all are asked as soon as it is back. */
  retryAll(now: number): void {
    for (const unit of this.#units.values()) {
      unit.due_at = Math.min(unit.due_at, now);
      unit.missed = 0;
    }
  }

  units(): UnitStatus[] {
    return [...this.#units.values()].map(({ poll, state, missed, error }) => {
      return { address: poll.address, state, missed, error };
    });
  }
}
