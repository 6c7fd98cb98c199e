/**
 * The law of every running total: what HQ sums is last minus first plus what came after each reset,
 * whatever happens on the way. Random walks of real people, seen through everything a counter, its
 * line and this daemon do to the frames.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type MeterState, newMeterState, step } from '../../../gateway/meters/meter.ts';
import type { MeasureRecord } from '../../../gateway/profiles/measure.ts';

const start = Date.parse('2026-03-01T12:00:00Z');
const minute = 60_000;
const day = 24 * 60 * minute;
const zone = 'Europe/Zurich';

type Happening =
  | { readonly kind: 'people'; readonly count: number; readonly seconds: number }
  | {
      readonly kind:
        | 'reset'
        | 'night'
        | 'duplicate'
        | 'restart'
        | 'zeros'
        | 'small fall'
        | 'replay';
      readonly times: number;
    };

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('people' as const),
      count: fc.nat(100),
      seconds: fc.integer({ min: 20, max: 120 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'reset',
        'night',
        'duplicate',
        'restart',
        'zeros',
        'small fall',
        'replay',
      ),
      times: fc.integer({ min: 1, max: 4 }),
    }),
  },
);

interface Device {
  /** Bits of its register. */
  readonly width: number;
  /** It dates its frames. */
  readonly dated: boolean;
  /** It says when it was last reset. */
  readonly marked: boolean;
  /** It clears its total at midnight of its zone. */
  readonly nightly: boolean;
  readonly first: number;
}

const device = fc
  .record({
    width: fc.constantFrom(8, 16, 23, 24, 32),
    dated: fc.boolean(),
    marked: fc.boolean(),
    nightly: fc.boolean(),
    // Half of the walks begin just before the end of the register.
    first: fc.oneof(
      fc.nat(250),
      fc.nat(250).map((below) => -1 - below),
    ),
  })
  // What says when it was reset also dates its frames; without, an old frame would be a new reset.
  .map((each) => ({ ...each, dated: each.dated || each.marked }));

interface Sent {
  readonly value: number;
  readonly at: number;
  readonly marker: number;
  /** People that the counter had seen since it was first heard. */
  readonly people: number;
}

/** One gateway with one counter before it. */
class Walk {
  readonly #device: Device;
  readonly #modulus: number;
  #now = start;
  #register: number;
  #marker = 1;
  #last: number | null = null;
  #at_reset = 0;
  readonly #sent: Sent[] = [];
  #state: MeterState = newMeterState;
  #stored: MeterState = newMeterState;
  /** People that HQ must have in the end. */
  expected = 0;
  delivered = 0;

  constructor(each: Device) {
    this.#device = each;
    this.#modulus = 2 ** each.width;
    this.#register = (each.first + this.#modulus) % this.#modulus;
    this.#sample();
  }

  happens(what: Happening): void {
    if (what.kind === 'people') this.#people(what.count, what.seconds);
    else if (what.kind === 'reset') this.#declaredReset();
    else if (what.kind === 'night') this.#night();
    else if (what.kind === 'duplicate') this.#again(this.#sent.slice(-1));
    else if (what.kind === 'restart') this.#restart();
    else if (what.kind === 'zeros') this.#glitch(Array(what.times).fill(0));
    else if (what.kind === 'small fall') this.#smallFall(what.times);
    else this.#again(this.#sent.slice(-10 * what.times).filter((sent) => this.#isTold(sent)));
  }

  /** Somebody passes, so that a register at 0 is known to have moved on; then all is reported. */
  end(): void {
    this.#people(3, 120);
    this.#people(0, 120);
  }

  #people(count: number, seconds: number): void {
    this.#now += seconds * 1000;
    const next = (this.#register + count) % this.#modulus;
    // Exactly 0 far from the end looks like a lost total; nobody is invented then, but missed.
    this.#register = next === 0 && count > 1 ? 1 : next;
    this.#sample();
  }

  /** A good frame: the people since the last good one are expected at HQ. */
  #sample(): void {
    const value = this.#register;
    if (this.#last !== null) this.expected += (value - this.#last + this.#modulus) % this.#modulus;
    this.#last = value;
    const sent = { value, at: this.#now, marker: this.#marker, people: this.expected };
    this.#sent.push(sent);
    this.#hand(sent);
  }

  #declaredReset(): void {
    if (!this.#device.marked) return;
    this.#marker += 1;
    this.#register = 7;
    this.#now += minute;
    this.#fromZero();
  }

  #night(): void {
    if (!this.#device.nightly || this.#register < 10) return;
    const midnight = Math.ceil((this.#now + 60 * minute) / day) * day - 60 * minute;
    this.#now = midnight + minute;
    this.#register = 5;
    if (this.#device.marked) this.#marker += 1;
    this.#fromZero();
  }

  #fromZero(): void {
    this.#last = 0;
    this.#at_reset = this.expected + 1;
    this.#sample();
  }

  /** Frames that were acknowledged too late, or kept by a broker: within a second, in their order. */
  #again(frames: readonly Sent[]): void {
    frames.forEach((sent, i) => {
      this.#hand(sent, 1 + Math.floor((900 * i) / frames.length));
    });
    this.#now += 1_000;
  }

  /** Without a date, half a round back is half a round forward, and a total before a reset is one after. */
  #isTold({ people }: Sent): boolean {
    const back = this.expected - people;
    return this.#device.dated || (back < this.#modulus / 2 && people >= this.#at_reset);
  }

  /** The daemon ends and starts: it knows what was stored, and hears the newest frame again. */
  #restart(): void {
    this.#state = JSON.parse(JSON.stringify(this.#stored)) as MeterState;
    this.#again(this.#sent.slice(-2).filter((sent) => this.#isTold(sent)));
  }

  /** Wrong totals, a second apart, while nobody passes. */
  #glitch(values: readonly number[]): void {
    for (const value of values) {
      this.#now += 1_000;
      this.#hand({ value, at: this.#now, marker: this.#marker, people: this.expected });
    }
    this.#now += 1_000;
    this.#sample();
  }

  #smallFall(times: number): void {
    const fallen = Math.ceil(this.#register * 0.8);
    this.#glitch(Array(times).fill(fallen));
  }

  #hand({ value, at, marker }: Sent, late_ms = 0): void {
    const { dated, marked, nightly } = this.#device;
    const record: MeasureRecord = {
      element: '',
      region_id: 'zone',
      measures: [
        {
          target: 'in',
          value,
          semantics: 'cumulative',
          role: 'primary',
          modulus: this.#modulus,
          resets: true,
        },
      ],
      device: { from: null, to: dated ? at : null },
      interval_s: null,
      time_unreadable: false,
      dedupe_key: null,
      reset_marker: marked ? String(marker) : null,
      ...(nightly ? { resets_daily: { minute: 0, zone } } : {}),
      people_per_minute_max: 300,
    };
    const times = { received_at: this.#now + late_ms, report_interval_ms: minute };
    const after = step(this.#state, 'door', record, times);
    this.#state = after.state;
    if (after.changed) this.#stored = after.state;
    for (const reading of after.readings) {
      if (reading.kind !== 'count') continue;
      expect(reading.in).toBeGreaterThanOrEqual(0);
      this.delivered += reading.in;
    }
    expect(this.delivered + after.state.pending.in, 'nobody was invented').toBeLessThanOrEqual(
      this.expected,
    );
  }
}

test('the sum of any walk is last minus first plus declared resets, and never more on the way', () => {
  fc.assert(
    fc.property(device, fc.array(happening, { maxLength: 60 }), (each, happenings) => {
      const walk = new Walk(each);
      for (const what of happenings) walk.happens(what);
      walk.end();
      expect(walk.delivered).toBe(walk.expected);
    }),
    { numRuns: 1_500 },
  );
});
