/** A buffer that commits when the test says so. */
import type { Accept, Frame } from '../../gateway/sources/source.ts';

/** A disk that commits when the test says so. */
export class HeldDisk {
  readonly frames: Frame[] = [];
  readonly #commits: (() => void)[] = [];

  readonly accept: Accept = (frame) => {
    this.frames.push(frame);
    return new Promise((resolve) => this.#commits.push(resolve));
  };

  get topics(): string[] {
    return this.frames.map((frame) => frame.address);
  }

  /** Commits the frame at `place`, or all. */
  commit(place?: number): void {
    if (place !== undefined) this.#commits[place]?.();
    else for (const commit of this.#commits) commit();
  }
}
