/** A folder and running things for one test, cleaned up after it in reverse order. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';

export class Workspace {
  readonly #cleanups: (() => Promise<unknown> | unknown)[] = [];

  /** Registers the clean-up after each test of the calling file. */
  constructor() {
    afterEach(async () => {
      for (let last = this.#cleanups.pop(); last !== undefined; last = this.#cleanups.pop()) {
        await last();
      }
    });
  }

  onEnd(cleanup: () => Promise<unknown> | unknown): void {
    this.#cleanups.push(cleanup);
  }

  /** A new folder on a disk: since Debian 13 /tmp is memory, and a gateway there is no healthy one. */
  folder(): string {
    const path = mkdtempSync(join(process.env['TMPDIR'] ?? '/var/tmp', 'footbridge-test-'));
    this.onEnd(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }
}
