/** What a doctor found, at the gateway and at HQ: one vocabulary. */
import { type FindingCode, findingCatalogue } from './catalogue.ts';
import type { CatalogueEntry } from './catalogue-entry.ts';

export interface Finding {
  /** What was looked at, for example `source rs485`. */
  readonly check: string;
  readonly result: 'good' | 'warning' | 'fault';
  /** Its entry in the catalogue, or null where all is well. */
  readonly code: FindingCode | null;
  /** What is the matter, in one sentence; null where nothing is. */
  readonly cause: string | null;
  /** The value seen. */
  readonly seen: string;
  /** What to do next; null where nothing needs doing. */
  readonly todo: string | null;
}

export function good(check: string, seen: string): Finding {
  return { check, result: 'good', code: null, cause: null, seen, todo: null };
}

/** @param todo where the place allows better advice than the catalogue. */
export function found(check: string, code: FindingCode, seen: string, todo?: string): Finding {
  const entry: CatalogueEntry = findingCatalogue[code];
  const { cause } = entry;
  return { check, result: entry.result ?? 'fault', code, cause, seen, todo: todo ?? entry.todo };
}

const weight = { fault: 0, warning: 1, good: 2 } as const;

/** Worst first; within that in the order given, which is the order of causes. */
export function worstFirst(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => weight[a.result] - weight[b.result]);
}
