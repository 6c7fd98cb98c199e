/**
 * Many seeds of one torture that add up: each seed that is done stands as a line in a file, so that an
 * ended campaign goes on where it was, and several at once share the file.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import type { Tortured } from './tortured.ts';

type Document = Tortured['document'];

interface Done {
  readonly seed: number;
  readonly isHeld: boolean;
  readonly document: Document;
}

export class Campaign {
  readonly #path: string;

  /** @param path of the file; made with the first seed. */
  constructor(path: string) {
    this.#path = path;
  }

  has(seed: number): boolean {
    return this.#done().some((one) => one.seed === seed);
  }

  /** One write, so that lines of campaigns that share the file stay whole. */
  keep(seed: number, { document, isHeld }: Tortured): void {
    appendFileSync(this.#path, `${JSON.stringify({ seed, isHeld, document })}\n`);
  }

  /** All seeds of the file together: numbers are added, by name where they stand below one. */
  result(): Tortured {
    const done = this.#done();
    const isHeld = done.every((one) => one.isHeld);
    const totals = done.map(({ document }) => document).reduce(added, {});
    const { scenarios: _names, ...numbers } = totals;
    const figures = Object.entries(numbers).map(([name, value]) => `${name} ${String(value)}`);
    const broken = done.filter((one) => !one.isHeld).map(({ seed }) => seed);
    const document = { ...totals, seeds: done.map(({ seed }) => seed), broken };
    const lines = [
      `${done.length} seeds: ${figures.join(', ')}`,
      ...(isHeld ? [] : [`not held by the seeds ${broken.join(', ')}`]),
    ];
    return { lines, document, isHeld };
  }

  #done(): Done[] {
    if (!existsSync(this.#path)) return [];
    const lines = readFileSync(this.#path, 'utf8').split('\n');
    return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Done);
  }
}

interface Counted {
  readonly name: string;
  readonly count: number;
}

function added(sum: Document, one: Document): Document {
  const totals: Record<string, unknown> = { ...sum };
  for (const [key, value] of Object.entries(one)) {
    if (key === 'seed') continue;
    if (typeof value === 'number') totals[key] = Number(totals[key] ?? 0) + value;
    else if (key === 'scenarios') {
      const both = [...((totals[key] ?? []) as Counted[]), ...(value as Counted[])];
      totals[key] = [...new Set(both.map(({ name }) => name))].map((name) => ({
        name,
        count: both.reduce((n, each) => (each.name === name ? n + each.count : n), 0),
      }));
    }
  }
  return totals;
}
