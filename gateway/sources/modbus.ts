/**
 * A Modbus bus: asks one unit after the other and hands on the registers of each answer. The bus has
 * one owner, so one request is under way at a time, whatever carries it.
 */
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type ModbusBlock, type ModbusPoll, modbusBlocks, partsOf } from './modbus-blocks.ts';
import type { ModbusBus, ModbusLink, Outcome } from './modbus-link.ts';
import { PollSchedule } from './poll-schedule.ts';
import type { Accept, FrameFault, Source, SourceStatus, UnitStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';

export interface ModbusOptions {
  readonly name: string;
  readonly bus: ModbusBus;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

/** Longest sleep between polls; the loop is woken when there is something to do. */
const idle_ms = 60_000;

/** Exceptions that mean busy (5, 6) or, from a converter, nobody there (10, 11): no wrong profile. */
const absentExceptions = new Set([5, 6, 10, 11]);
/** Exceptions that mean that there are no such registers. */
const addressExceptions = new Set([2, 3]);

export type Asked = Exclude<Outcome, { kind: 'early' }>;

/** A question of a person, beside those of the sensors. */
interface Probe {
  readonly block: ModbusBlock;
  readonly resolve: (outcome: Asked) => void;
}

export class ModbusSource implements Source {
  readonly name: string;
  readonly #options: ModbusOptions;
  readonly #outlet: SourceOutlet;
  readonly #schedule = new PollSchedule<ModbusBlock>();
  readonly #stop = new AbortController();
  /** Blocks whose unit refused registers that nobody needs. */
  readonly #exact = new Set<string>();
  readonly #probes: Probe[] = [];
  #polls: readonly ModbusPoll[] = [];
  /** Blocks that cannot be asked, with the reason. */
  #unaskable: readonly ModbusBlock[] = [];
  #wake = new AbortController();
  /** Ends whatever the loop waits for. */
  #interrupt = () => this.#wake.abort();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ModbusOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('modbus', options);
  }

  /** Sets what is read from now on; may be called at any time. */
  setPolls(polls: readonly ModbusPoll[]): void {
    this.#polls = polls;
    this.#exact.clear();
    this.#plan();
  }

  /**
   * Asks one question that no sensor needs. It waits until nothing is due, so that a sensor is read
   * at most one answer late; for a unit that is polled it is not meant.
   */
  probe(poll: ModbusPoll): Promise<Asked> {
    const { bus } = this.#options;
    const [block] = modbusBlocks([poll], { by_length: bus.by_length, exact: this.#exact });
    if (block === undefined) throw new Error('a poll is always one block');
    return new Promise((resolve) => {
      this.#probes.push({ block, resolve });
      this.#wake.abort();
    });
  }

  async start(): Promise<void> {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#interrupt();
    await this.#loop;
    this.#giveUpProbes('the source was stopped');
    this.#outlet.stopped();
  }

  status(): SourceStatus {
    const unaskable = this.#unaskable.map(({ address, fault }): UnitStatus => {
      return { address, state: 'faulty', missed: 0, error: fault, noise: null };
    });
    return this.#outlet.status([...this.#schedule.units(), ...unaskable]);
  }

  #plan(): void {
    const { bus, clock } = this.#options;
    const blocks = modbusBlocks(this.#polls, { by_length: bus.by_length, exact: this.#exact });
    this.#unaskable = blocks.filter((block) => block.fault !== null);
    const askable = blocks.filter((block) => block.fault === null);
    this.#schedule.replace(askable, clock.monotonic());
    this.#wake.abort();
  }

  async #run(): Promise<void> {
    const { bus, clock, log } = this.#options;
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      const { frames } = this.#outlet;
      try {
        await this.#useOneConnection();
        await clock.sleep(bus.quarantine_ms, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // A device that accepts and hangs up at once must not be called without a pause.
        attempt = this.#outlet.frames > frames ? 0 : attempt + 1;
        const wait_ms = backoff_ms(attempt, bus.reopen, clock.random);
        const detail = errorText(error);
        if (this.#outlet.failing(detail))
          log.warn({ source: this.name, detail, wait_ms }, 'modbus bus is away');
        this.#giveUpProbes(detail);
        await clock.sleep(wait_ms, this.#stop.signal);
        this.#schedule.retryAll(clock.monotonic());
      }
    }
  }

  /** Returns when the connection has to be dropped, throws when it could not be had or was lost. */
  async #useOneConnection(): Promise<void> {
    const link = await this.#options.bus.open(this.#stop.signal);
    link.lost.addEventListener('abort', () => this.#interrupt());
    try {
      this.#outlet.running();
      await this.#pollUntilSilence(link);
      if (link.lost.aborted) throw link.lost.reason;
    } finally {
      await link.close();
    }
  }

  async #pollUntilSilence(link: ModbusLink): Promise<void> {
    const { bus, clock, log } = this.#options;
    while (!link.lost.aborted && !this.#stop.signal.aborted) {
      const next = this.#schedule.next(clock.monotonic());
      if ('wait_ms' in next) {
        const probe = this.#probes.shift();
        if (probe !== undefined) {
          const isSilent = await this.#askAside(link, probe);
          if (isSilent && bus.drops_on_silence) return;
          continue;
        }
        this.#wake = new AbortController();
        await clock.sleep(Math.min(next.wait_ms, idle_ms), this.#wake.signal);
        continue;
      }
      const { poll: block } = next;
      const asked_at = clock.monotonic();
      const outcome = await this.#ask(link, block);
      if (link.lost.aborted || this.#stop.signal.aborted) return;
      if (outcome.kind === 'early') {
        this.#schedule.postpone(block.address, clock.monotonic() + outcome.wait_ms);
        continue;
      }
      const isSilence = outcome.kind === 'silence';
      const pause_ms = isSilence ? bus.quarantine_ms : 0;
      this.#settle(block, outcome, clock.monotonic() - asked_at + pause_ms);
      if (!isSilence) continue;
      const { detail } = outcome;
      log.warn({ source: this.name, address: block.address, detail }, 'unit is silent');
      if (bus.drops_on_silence) return;
      await clock.sleep(pause_ms, this.#stop.signal);
    }
  }

  /** @returns whether nobody answered. */
  async #askAside(link: ModbusLink, probe: Probe): Promise<boolean> {
    const { bus, clock } = this.#options;
    const outcome = await this.#ask(link, probe.block);
    if (outcome.kind === 'early') {
      this.#probes.unshift(probe);
      await clock.sleep(outcome.wait_ms, this.#stop.signal);
      return false;
    }
    probe.resolve(outcome);
    if (outcome.kind !== 'silence') return false;
    if (!bus.drops_on_silence) await clock.sleep(bus.quarantine_ms, this.#stop.signal);
    return true;
  }

  #giveUpProbes(detail: string): void {
    for (const { resolve } of this.#probes.splice(0)) resolve({ kind: 'silence', detail });
  }

  /** A connection that is lost ends the wait at once; modbus-serial would sit out the timeout. */
  #ask(link: ModbusLink, block: ModbusBlock): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#interrupt = () => {
        resolve({ kind: 'silence', detail: 'the connection was lost' });
        this.#wake.abort();
      };
      link.ask(block).then(resolve);
    });
  }

  #settle(block: ModbusBlock, outcome: Asked, cost_ms: number): void {
    const { address } = block;
    // Paired anew while it was asked: the answer belongs to registers nobody asks for any more.
    if (!isSameQuestion(block, this.#schedule.pollAt(address))) return;
    const now = this.#options.clock.monotonic();
    if (outcome.kind === 'answer') {
      this.#schedule.answered(address, now);
      for (const part of partsOf(block, outcome.bytes)) this.#hand(block, part);
    } else if (outcome.kind === 'silence' || absentExceptions.has(outcome.exception)) {
      const noise = (outcome.kind === 'silence' ? outcome.noise : null) ?? null;
      this.#schedule.missed(address, 'silent', outcome.detail, now, cost_ms, noise);
    } else if (block.spare > 0 && addressExceptions.has(outcome.exception)) {
      this.#exact.add(address);
      this.#plan();
    } else {
      this.#schedule.missed(address, 'faulty', outcome.detail, now, cost_ms);
      const bytes = Uint8Array.of(block.function | 0x80, outcome.exception);
      const fault = { reason: 'exception_answer', detail: outcome.detail } as const;
      for (const poll of block.polls) this.#hand(block, { address: poll.address, bytes, fault });
    }
  }

  #hand(
    block: ModbusBlock,
    part: { address: string; bytes: Uint8Array; fault?: FrameFault },
  ): void {
    this.#schedule.hold(block.address);
    this.#outlet.hand(part).then(() => {
      this.#schedule.release(block.address);
      this.#wake.abort();
    });
  }
}

function isSameQuestion(asked: ModbusBlock, now: ModbusBlock | undefined): boolean {
  return (
    now !== undefined &&
    (['unit', 'function', 'start', 'count'] as const).every(
      (field) => asked[field] === now[field],
    ) &&
    asked.polls.length === now.polls.length
  );
}
