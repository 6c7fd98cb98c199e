/**
 * What brokers keep subscribed for this gateway. A session outlives the program, and no broker says
 * which topics are in it: one that has left the configuration would be delivered for ever.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

export class KeptSubscriptions {
  readonly #path: string;
  readonly #topics: Map<string, readonly string[]>;

  /** A file that cannot be read counts as empty: nothing is then taken out of a session. */
  constructor(path: string) {
    this.#path = path;
    this.#topics = new Map(Object.entries(read(path)));
  }

  /** @returns the topic filters that the source's broker may have. */
  of(source: string): readonly string[] {
    return this.#topics.get(source) ?? [];
  }

  /** Says before a subscription what the broker may then have, and afterwards what it has. */
  keep(source: string, topics: readonly string[]): void {
    if (JSON.stringify(this.of(source)) === JSON.stringify(topics)) return;
    this.#topics.set(source, topics);
    try {
      const text = JSON.stringify(Object.fromEntries(this.#topics), null, 2);
      writeFileSync(`${this.#path}.new`, `${text}\n`, { flush: true });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // The disk is full: at worst a topic stays subscribed. Counting does not wait for that.
    }
  }
}

function read(path: string): Record<string, readonly string[]> {
  try {
    const kept: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof kept !== 'object' || kept === null) return {};
    return Object.fromEntries(
      Object.entries(kept).filter(
        ([, topics]) => Array.isArray(topics) && topics.every((topic) => typeof topic === 'string'),
      ),
    );
  } catch {
    return {};
  }
}
