/** The state of one source, as `footbridge status` and the heartbeat report it. */
import type { SourceState, SourceStatus } from './source.ts';

export class SourceHealth {
  readonly #source: string;
  readonly #kind: string;
  #state: SourceState = 'starting';
  #error: string | null = null;
  #frames = 0;
  #last_frame_at: number | null = null;

  constructor(source: string, kind: string) {
    this.#source = source;
    this.#kind = kind;
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

  stopped(): void {
    this.#state = 'stopped';
  }

  frame(at: number): void {
    this.#frames += 1;
    this.#last_frame_at = at;
  }

  status(): SourceStatus {
    return {
      source: this.#source,
      kind: this.#kind,
      state: this.#state,
      error: this.#error,
      frames: this.#frames,
      last_frame_at: this.#last_frame_at,
    };
  }
}
