/** Devices that speak and that nobody has paired: what they last said, to be recognised when asked. */
import type { Frame } from '../sources/source.ts';

export interface Stranger {
  readonly source: string;
  /** Topic, path, or unit on a line. */
  readonly address: string;
  /** Messages since the gateway started. */
  readonly messages: number;
  /** ms since the epoch. */
  readonly last_at: number;
  /** The last few, newest last. */
  readonly frames: readonly Uint8Array[];
}

/** A broker of others may carry a whole building: memory stays below 13 MB, whatever it says. */
const strangers_max = 200;
const frames_kept = 4;
const frame_bytes_max = 16 * 1024;

export class Strangers {
  readonly #known = new Map<string, Stranger>();

  note({ source, address, bytes, received_at }: Frame): void {
    const key = `${source}\n${address}`;
    const before = this.#known.get(key);
    const small = bytes.length <= frame_bytes_max ? [bytes.slice()] : [];
    // Put last again, so that who has been quiet longest makes room.
    this.#known.delete(key);
    this.#known.set(key, {
      source,
      address,
      messages: (before?.messages ?? 0) + 1,
      last_at: received_at,
      frames: [...(before?.frames ?? []), ...small].slice(-frames_kept),
    });
    const [oldest] = this.#known.keys();
    if (this.#known.size > strangers_max && oldest !== undefined) this.#known.delete(oldest);
  }

  list(): Stranger[] {
    return [...this.#known.values()];
  }
}
