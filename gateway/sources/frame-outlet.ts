/** The way out of a polled or listened-to line: hands frames on and counts them. */
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import type { Accept, FrameFault } from './source.ts';

export class FrameOutlet {
  readonly #source: string;
  readonly #accept: Accept;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Frames handed on since start. */
  frames = 0;
  last_frame_at: number | null = null;

  constructor(options: { name: string; accept: Accept; clock: Clock; log: Log }) {
    this.#source = options.name;
    this.#accept = options.accept;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /** Resolves when what the frame says is on disk. Never rejects. */
  async hand(address: string, bytes: Uint8Array, fault?: FrameFault): Promise<void> {
    const received_at = this.#clock.now();
    this.frames += 1;
    this.last_frame_at = received_at;
    try {
      await this.#accept({
        source: this.#source,
        address,
        bytes,
        received_at,
        ...(fault === undefined ? {} : { fault }),
      });
    } catch (error) {
      this.#log.error({ source: this.#source, detail: errorText(error) }, 'frame was not accepted');
    }
  }
}
