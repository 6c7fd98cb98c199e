/** What every source keeps about itself, and its one way out: frames are handed on and counted. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Accept, Frame, SourceState, SourceStatus, UnitStatus } from './source.ts';

/** A few thousand ordinary messages, or 32 of the largest. */
const waiting_bytes_max = 8 * 1024 * 1024;

export class SourceOutlet {
  readonly #source: string;
  readonly #kind: string;
  readonly #accept: Accept;
  readonly #clock: Clock;
  #state: SourceState = 'starting';
  #error: string | null = null;
  #frames = 0;
  #last_frame_at: number | null = null;
  #waiting_bytes = 0;
  /** Frames that wait for the same commit as the last one. */
  #company: { readonly durable: Promise<void>; bytes: number } | undefined;
  #refused = 0;
  #last_refusal: string | null = null;

  constructor(kind: string, options: { name: string; accept: Accept; clock: Clock }) {
    this.#source = options.name;
    this.#kind = kind;
    this.#accept = options.accept;
    this.#clock = options.clock;
  }

  /** Resolves when what the frame says is on disk. Never rejects; neighbours share the promise. */
  hand(frame: Omit<Frame, 'source' | 'received_at'>): Promise<void> {
    const received_at = this.#clock.now();
    const { address, bytes, retained, fault } = frame;
    this.#frames += 1;
    this.#last_frame_at = received_at;
    const source = this.#source;
    const durable = this.#accept({ source, address, bytes, received_at, retained, fault });
    this.#waiting_bytes += bytes.length;
    if (this.#company?.durable === durable) this.#company.bytes += bytes.length;
    else this.#waitFor(durable, bytes.length);
    return durable;
  }

  #waitFor(durable: Promise<void>, bytes: number): void {
    const company = { durable, bytes };
    this.#company = company;
    void durable.then(() => {
      this.#waiting_bytes -= company.bytes;
      if (this.#company === company) this.#company = undefined;
    });
  }

  /** While the disk fails, frames wait in memory; beyond this no more may come in. */
  get isFull(): boolean {
    return this.#waiting_bytes > waiting_bytes_max;
  }

  /** Frames handed on since start. */
  get frames(): number {
    return this.#frames;
  }

  get state(): SourceState {
    return this.#state;
  }

  running(): void {
    this.#state = 'running';
    this.#error = null;
  }

  /** @returns true when this is news: log it once, not at every retry. */
  failing(error: string): boolean {
    const news = this.#error !== error;
    this.#state = 'failing';
    this.#error = error;
    return news;
  }

  /** @returns true when this is news. A stranger's bytes are counted, not kept: they fill disks. */
  refused(who: string): boolean {
    const news = this.#last_refusal !== who;
    this.#refused += 1;
    this.#last_refusal = who;
    return news;
  }

  stopped(): void {
    this.#state = 'stopped';
    this.#error = null;
  }

  /** A source none of whose units gives usable answers is failing, although its line is open. */
  status(units: readonly UnitStatus[] = []): SourceStatus {
    const missing = allMissing(units);
    const useless = this.#state === 'running' && missing !== null;
    return {
      source: this.#source,
      kind: this.#kind,
      state: useless ? 'failing' : this.#state,
      error: useless ? missing : this.#error,
      frames: this.#frames,
      last_frame_at: this.#last_frame_at,
      refused: this.#refused,
      last_refusal: this.#last_refusal,
      units,
    };
  }
}

/** Why no unit at all gives usable answers, or null when one does or none was asked yet. */
function allMissing(units: readonly UnitStatus[]): string | null {
  const errors = units.flatMap(({ address, error }) =>
    error === null ? [] : `${address}: ${error}`,
  );
  return errors.length > 0 && errors.length === units.length ? errors.join('; ') : null;
}
