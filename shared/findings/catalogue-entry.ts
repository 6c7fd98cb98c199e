/** What the catalogue says of one finding, and the symptoms by which people look it up. */

/** How a person meets it; the headings of docs/troubleshooting.md. */
export const symptoms = {
  stopped: 'Nothing is counted: the gateway does not run',
  storage: 'Nothing is acknowledged: disk and buffer',
  source: 'No sensor of one connection is heard',
  sensor: 'One sensor is not heard',
  wrong: 'Counts are there, and wrong',
  delivery: 'The store counts, and HQ does not see it',
  hq: 'HQ itself',
} as const;

export interface CatalogueEntry {
  readonly symptom: keyof typeof symptoms;
  /** What is the matter, in one sentence. */
  readonly cause: string;
  /** What to do next. */
  readonly todo: string;
  /** Left out: a fault. */
  readonly result?: 'warning';
}
