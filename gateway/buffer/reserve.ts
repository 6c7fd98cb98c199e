/**
 * A file that holds room on the disk. When the disk is full it is given up, so that deliveries and the
 * ledger can still be written: each delivery frees pages, and a full disk must not stop the one thing that
 * empties it. Readings never live on it. It is taken again when there is room.
 */
import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** The journal grows to half of it between two checkpoints. */
const bytes_max = 8 * 1024 * 1024;
/** Of a small disk. */
const disk_share = 1 / 64;
const chunk = Buffer.alloc(64 * 1024);

export class Reserve {
  readonly #path: string;
  readonly #bytes: number;
  #isHeld: boolean;

  /** @param path in the folder of the buffer: it has to be the same disk. */
  constructor(path: string) {
    this.#path = path;
    const { blocks, bsize } = statfsSync(dirname(path));
    const share = Math.floor((blocks * bsize * disk_share) / chunk.length) * chunk.length;
    this.#bytes = Math.min(bytes_max, share);
    const { size = -1 } = statSync(path, { throwIfNoEntry: false }) ?? {};
    this.#isHeld = size >= this.#bytes;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /**
   * Takes the room where twice as much is free: then it is not given up again at once.
   *
   * @returns false where there is no room for it.
   */
  take(): boolean {
    if (this.#isHeld) return true;
    const { bavail, bsize } = statfsSync(dirname(this.#path));
    if (bavail * bsize < 2 * this.#bytes) return false;
    try {
      this.#write();
      this.#isHeld = true;
    } catch (error) {
      this.#remove();
      // What is broken otherwise than full, the commit itself says better.
      return !/^(ENOSPC|EDQUOT)$/.test((error as NodeJS.ErrnoException).code ?? '');
    }
    return this.#isHeld;
  }

  /** @returns whether there was something to give up. */
  release(): boolean {
    if (!this.#isHeld) return false;
    this.#remove();
    return true;
  }

  #remove(): void {
    rmSync(this.#path, { force: true });
    this.#isHeld = false;
  }

  /** Written, not just made as long: a file of holes holds nothing. */
  #write(): void {
    const file = openSync(this.#path, 'w', 0o600);
    try {
      for (let left = this.#bytes; left > 0; left -= chunk.length) writeSync(file, chunk);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  }
}
