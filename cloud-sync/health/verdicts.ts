/** Collects what rules say about their subjects; pure. */
import type { Finding } from './alert-types.ts';
import { dedupKey } from './alert-types.ts';

/** What holds, and what nobody can know now. Everything else is well. */
export interface Judgement {
  readonly findings: readonly Finding[];
  /** dedup_key */
  readonly unknown: ReadonlySet<string>;
}

/** How a gateway stands: what is said about its sensors and its store depends on it. */
export type Line = 'online' | 'late' | 'unknown';

export class Verdicts implements Judgement {
  readonly findings: Finding[] = [];
  readonly unknown = new Set<string>();
  readonly #open: ReadonlySet<string>;

  /** @param open dedup_key of the alerts that are open: their limits are wider. */
  constructor(open: ReadonlySet<string>) {
    this.#open = open;
  }

  /** @param holds null: nobody can know. */
  say(line: Line, holds: boolean | null, finding: Finding): void {
    if (line === 'unknown' || holds === null) this.unknown.add(dedupKey(finding));
    else if (holds) this.findings.push({ ...finding, late: line === 'late' });
  }

  /** A value over its limit; an open alert holds until the value is back below the lower one. */
  over(line: Line, value: number | null, limits: { raise: number; clear: number }, it: Finding) {
    const limit = this.#open.has(dedupKey(it)) ? limits.clear : limits.raise;
    this.say(line, value === null ? null : value > limit, it);
  }
}
