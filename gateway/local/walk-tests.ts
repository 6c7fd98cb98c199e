/**
 * The walk test or audit that is under way: somebody walks below a sensor, and what it counts
 * meanwhile is compared with what was agreed or counted by hand. One at a time, as one person can.
 */
import { z } from 'zod';
import type { Clock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { type CommissioningRecord, commissioningSchema } from '../../shared/wire/commissioning.ts';
import { sensorIdSchema } from '../../shared/wire/names.ts';
import type { Crossings, Tally } from '../meters/tally.ts';
import { judgeAudit, judgeWalk, type Verdict } from '../pairing/commissioning.ts';
import { kindOf, tellsDirection } from '../pairing/sensor.ts';
import type { PairedSensor, SensorRegistry } from '../pairing/sensor-registry.ts';

const people = z.number().int().min(0).max(1_000_000);

const requestSchema = z.object({
  kind: commissioningSchema.shape.kind,
  /** A paired sensor, or one line of it. */
  sensor_id: sensorIdSchema,
  who: commissioningSchema.shape.who,
  /** Who will walk; an audit learns it at its end. */
  in: people,
  out: people,
});
export type WalkTestRequest = z.infer<typeof requestSchema>;

export interface WalkTestStatus {
  readonly kind: CommissioningRecord['kind'];
  readonly sensor_id: string;
  readonly name: string;
  readonly direction: string;
  /** ms since the epoch. */
  readonly started_at: number;
  readonly expected: Crossings;
  readonly counted: Crossings;
  readonly verdict: Verdict | 'waiting';
}

const endSchema = z.object({
  sensor_id: sensorIdSchema,
  /** What a person counted, for an audit. */
  by_hand: z.object({ in: people, out: people }).optional(),
});

interface Session {
  readonly request: WalkTestRequest;
  readonly paired: PairedSensor;
  readonly started_at: number;
  readonly before: Crossings;
}

export interface WalkTestsOptions {
  readonly registry: SensorRegistry;
  readonly tally: Tally;
  /** Keeps the evidence until HQ has it. */
  readonly keep: (record: CommissioningRecord) => void;
  readonly clock: Clock;
}

export class WalkTests {
  readonly #options: WalkTestsOptions;
  #session: Session | undefined;

  constructor(options: WalkTestsOptions) {
    this.#options = options;
  }

  /**
   * Begins anew; one that was under way is given up.
   *
   * @throws FootbridgeError usage, sensor_unknown, sensor_invalid
   */
  begin(asked: unknown): WalkTestStatus {
    const request = checked(requestSchema, asked);
    const { registry, tally, clock } = this.#options;
    const [device] = request.sensor_id.split('/');
    const paired = registry
      .list()
      .find(({ sensor }) => [request.sensor_id, device].includes(sensor.sensor_id));
    if (paired === undefined) throw new FootbridgeError('sensor_unknown', `"${request.sensor_id}"`);
    if (kindOf(paired.profile) === 'zone') {
      const detail = `${request.sensor_id} says how many are in a zone; nobody crosses a line of it`;
      throw new FootbridgeError('sensor_invalid', detail);
    }
    const before = tally.total(request.sensor_id);
    this.#session = { request, paired, started_at: clock.now(), before };
    return this.#statusOf(this.#session);
  }

  /** What is under way, or null. */
  status(): WalkTestStatus | null {
    return this.#session === undefined ? null : this.#statusOf(this.#session);
  }

  /**
   * Ends it and keeps the evidence.
   *
   * @throws FootbridgeError usage
   */
  finish(asked: unknown): CommissioningRecord {
    const { sensor_id, by_hand } = checked(endSchema, asked);
    const session = this.#session;
    const wanted = by_hand === undefined ? 'walk_test' : 'audit';
    if (session?.request.sensor_id !== sensor_id || session.request.kind !== wanted) {
      const hint = 'Begin one first; a restart of the gateway ends it.';
      const detail = `no ${wanted.replace('_', ' ')} of ${sensor_id} is under way`;
      throw new FootbridgeError('usage', detail, { hint });
    }
    const { kind, counted, expected: agreed, verdict: seen, ...told } = this.#statusOf(session);
    const expected = by_hand ?? agreed;
    const verdict = kind === 'audit' ? judgeAudit(expected, counted) : decided(seen);
    const { clock, keep } = this.#options;
    const record: CommissioningRecord = {
      record_id: clock.uuid(),
      kind,
      sensor_id,
      who: session.request.who,
      profile: session.paired.profile.name,
      direction: told.direction,
      started_at: told.started_at,
      ended_at: clock.now(),
      expected_in: expected.in,
      expected_out: expected.out,
      counted_in: counted.in,
      counted_out: counted.out,
      verdict,
    };
    keep(record);
    this.#session = undefined;
    return record;
  }

  /** Forgets it without evidence. */
  giveUp(): void {
    this.#session = undefined;
  }

  #statusOf({ request, paired, started_at, before }: Session): WalkTestStatus {
    const { kind, sensor_id } = request;
    const now = this.#options.tally.total(sensor_id);
    const counted = { in: now.in - before.in, out: now.out - before.out };
    const expected = { in: request.in, out: request.out };
    return {
      kind,
      sensor_id,
      name: paired.sensor.name,
      direction: paired.sensor.direction,
      started_at,
      expected,
      counted,
      verdict:
        kind === 'audit' ? 'waiting' : judgeWalk(expected, counted, tellsDirection(paired.profile)),
    };
  }
}

/** Given up before everybody was counted: some were missed. */
function decided(verdict: Verdict | 'waiting'): Verdict {
  return verdict === 'waiting' ? 'miscounted' : verdict;
}

function checked<T>(schema: z.ZodType<T>, asked: unknown): T {
  const parsed = schema.safeParse(asked);
  if (parsed.success) return parsed.data;
  const detail = parsed.error.issues.map((i) => `${i.path.join('.')}: ${i.message}`).join('; ');
  throw new FootbridgeError('usage', detail);
}
