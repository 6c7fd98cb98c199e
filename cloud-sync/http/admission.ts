/**
 * How much HQ takes on at once. A thousand stores come back in the same minute after an outage:
 * what cannot be done soon is refused before its body is read, and told when to come back.
 *
 * Live batches have turns of their own, and backlog gets what they leave, but never nothing: the
 * present does not queue behind the past. Newcomers and readers of reports have theirs as well: however many
 * they are and however long they take, counts come in.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { BacklogBudget } from '../../shared/wire/batch.ts';
import { backlog_lanes_max } from '../../shared/wire/batch.ts';

/** What gateways send, and may be more than HQ can take for hours. */
type GatewayLane = 'live' | 'backlog' | 'heartbeat';
/**
 * `upkeep` is a gateway's next key and a store's commissioning, apart from enrolments, which anybody may
 * ask for; `key` looks up who wants a report.
 */
type OtherLane = 'enrolment' | 'upkeep' | 'key' | 'report';
type Lane = GatewayLane | OtherLane;

interface Limits {
  /** Requests between their header and their answer; each may hold a body in memory. */
  readonly admitted_max: number;
  /** Of these, how many use the database at once. */
  readonly working_max: number;
}

/**
 * At most fifteen at once, live and backlog both at their most for a moment. The rest of the pool is for
 * rollups, alerts, notifications, the look-up of gateways and the probe, one each; nightly jobs wait.
 */
const limits: Readonly<Record<Lane, Limits>> = {
  live: { admitted_max: 512, working_max: 4 },
  backlog: { admitted_max: 32, working_max: 4 },
  heartbeat: { admitted_max: 512, working_max: 2 },
  enrolment: { admitted_max: 64, working_max: 1 },
  upkeep: { admitted_max: 64, working_max: 1 },
  key: { admitted_max: 256, working_max: 1 },
  report: { admitted_max: 64, working_max: 2 },
};
/** A gateway counts as drained when it has sent no backlog for so long. */
const draining_ms = 30_000;
const retry_after_max_s = 60;
/** Nobody waits longer for a page; gateways set limits of their own. */
const patience_ms = 10_000;
/** Before the first one was timed. */
const work_guess_ms = 50;

export class Admission {
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly #gates: Readonly<Record<Lane, Gate>>;
  /** When each gateway last asked to send backlog. */
  readonly #draining = new Map<string, number>();

  constructor(clock: Pick<Clock, 'monotonic' | 'after'>) {
    this.#clock = clock;
    const gate = (lane: Lane) => new Gate(limits[lane], clock);
    this.#gates = {
      live: gate('live'),
      backlog: gate('backlog'),
      heartbeat: gate('heartbeat'),
      enrolment: gate('enrolment'),
      upkeep: gate('upkeep'),
      key: gate('key'),
      report: gate('report'),
    };
    this.#gates.live.yields(this.#gates.backlog);
  }

  /**
   * Call before the body is read. The returned place must be left, whatever happens.
   *
   * @throws FootbridgeError overloaded, with the seconds to wait.
   */
  enter(lane: GatewayLane, gateway_id: string): Place {
    if (lane === 'backlog') this.#draining.set(gateway_id, this.#clock.monotonic());
    return this.#enter(lane);
  }

  /**
   * Lets in, works when it is its turn and lets out again.
   *
   * @throws FootbridgeError overloaded, with the seconds to wait; also where the turn does not come in time.
   */
  async inTurn<T>(lane: OtherLane, job: () => Promise<T>): Promise<T> {
    const place = this.#enter(lane);
    try {
      return await place.work(job, patience_ms);
    } finally {
      place.leave();
    }
  }

  /** What a gateway may do with its backlog at the moment: all of HQ alone, its share in company. */
  budget(): BacklogBudget {
    const gateways = Math.max(1, this.#drainingNow());
    const { work_ms } = this.#gates.backlog;
    const { working_max } = limits.backlog;
    // One more than there are turns: the next batch is there when a turn becomes free.
    const share = Math.floor((working_max + 1) / gateways);
    const in_flight = Math.min(backlog_lanes_max, Math.max(1, share));
    // Its own batch takes work_ms of its turn; those of the others pass meanwhile.
    const others_ms = (Math.max(0, gateways - working_max) * work_ms) / working_max;
    return { in_flight, pause_ms: Math.min(Math.round(others_ms), retry_after_max_s * 1000) };
  }

  /** Requests in the house, by lane: for metrics. */
  get admitted(): ReadonlyMap<string, number> {
    const gates = Object.entries(this.#gates);
    return new Map(gates.map(([lane, { admitted }]) => [lane, admitted]));
  }

  #enter(lane: Lane): Place {
    const gate = this.#gates[lane];
    const place = gate.enter();
    if (place !== undefined) return place;
    const waiting = lane === 'backlog' ? this.#drainingNow() : limits[lane].admitted_max;
    const wait_s = Math.ceil((waiting * gate.work_ms) / limits[lane].working_max / 1000);
    throw overloaded(Math.min(Math.max(wait_s, 1), retry_after_max_s));
  }

  #drainingNow(): number {
    const since = this.#clock.monotonic() - draining_ms;
    for (const [gateway_id, at] of this.#draining) {
      if (at < since) this.#draining.delete(gateway_id);
    }
    return this.#draining.size;
  }
}

function overloaded(retry_after_s: number): FootbridgeError {
  return new FootbridgeError('overloaded', `come back in ${retry_after_s} s`, { retry_after_s });
}

/** A request that was let in. */
export interface Place {
  /**
   * Runs when it is this request's turn at the database.
   *
   * @param wait_max_ms for the turn; undefined: as long as it takes.
   * @throws FootbridgeError overloaded when it does not come in that time.
   */
  work<T>(job: () => Promise<T>, wait_max_ms?: number): Promise<T>;
  leave(): void;
}

class Gate {
  readonly #limits: Limits;
  readonly #clock: Pick<Clock, 'monotonic' | 'after'>;
  readonly #waiting: (() => void)[] = [];
  #working = 0;
  /** Who may have the turns that this gate does not use, and whose turns this gate leaves. */
  #behind: Gate | undefined;
  #before: Gate | undefined;
  admitted = 0;
  /** What one job takes, a moving mean in ms. */
  work_ms = work_guess_ms;

  constructor(of: Limits, clock: Pick<Clock, 'monotonic' | 'after'>) {
    this.#limits = of;
    this.#clock = clock;
  }

  /** From now on `behind` has one turn less for each job here that works or waits, but one at least. */
  yields(behind: Gate): void {
    this.#behind = behind;
    behind.#before = this;
  }

  enter(): Place | undefined {
    if (this.admitted >= this.#limits.admitted_max) return undefined;
    this.admitted += 1;
    let isInside = true;
    return {
      work: (job, wait_max_ms) => this.#work(job, wait_max_ms),
      leave: () => {
        if (isInside) this.admitted -= 1;
        isInside = false;
      },
    };
  }

  async #work<T>(job: () => Promise<T>, wait_max_ms: number | undefined): Promise<T> {
    await this.#turn(wait_max_ms);
    const start = this.#clock.monotonic();
    try {
      return await job();
    } finally {
      this.work_ms += (this.#clock.monotonic() - start - this.work_ms) / 20;
      this.#working -= 1;
      this.#giveTurns();
      if (this.#behind !== undefined) this.#behind.#giveTurns();
    }
  }

  /** In the order of arrival: who comes now does not overtake who waits. */
  #turn(wait_max_ms = Number.POSITIVE_INFINITY): Promise<void> {
    return new Promise((resolve, reject) => {
      const take = () => {
        cancel();
        resolve();
      };
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(take), 1);
        reject(overloaded(Math.ceil(wait_max_ms / 1000)));
      };
      const hasEnd = Number.isFinite(wait_max_ms);
      const cancel = hasEnd ? this.#clock.after(wait_max_ms, giveUp) : () => {};
      this.#waiting.push(take);
      this.#giveTurns();
    });
  }

  #giveTurns(): void {
    while (this.#working < this.#turns) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#working += 1;
      next();
    }
  }

  get #turns(): number {
    const { working_max } = this.#limits;
    const before =
      this.#before === undefined ? 0 : this.#before.#working + this.#before.#waiting.length;
    return Math.max(1, working_max - before);
  }
}
