/** What the main thread and the writer thread say to each other. */
import type { MessagePort } from 'node:worker_threads';
import type { OutgoingBatch } from './delivery.ts';
import type {
  Asked,
  BufferStats,
  HqMemory,
  Lane,
  PendingBatch,
  QuarantineRow,
  Reconciled,
  Refusal,
  UndatedRow,
} from './entry.ts';
import type { Group } from './group.ts';
import type { Recovered } from './recovered.ts';
import type { SchemaMove } from './schema-version.ts';

/** Each operation of the writer thread, with its arguments and its result. */
export interface WriterOperations {
  recover(): Recovered & { readonly schema: SchemaMove };
  commit(group: Group): void;
  nextBatch(
    lane: Lane,
    options: { rows_max: number; batch_id: string; held: readonly string[] },
  ): OutgoingBatch | null;
  settle(batch: PendingBatch, refusals: readonly Refusal[], now: number): void;
  refuse(batch: PendingBatch, refusal: Omit<Refusal, 'sequence'>, now: number): void;
  abandon(batch_id: string): void;
  deliverAs(gateway_id: string): void;
  reconcile(hq: HqMemory, asked: Asked): Reconciled;
  stats(): BufferStats;
  quarantine(limit: number): QuarantineRow[];
  undated(limit: number): UndatedRow[];
  close(): void;
}

export type Operation = keyof WriterOperations;

export interface WriterRequest {
  readonly id: number;
  readonly operation: Operation;
  readonly parameters: readonly unknown[];
}

export type WriterAnswer =
  | {
      readonly id: number;
      readonly ok: true;
      readonly result: unknown;
      /** Where a file lies now that was found to be damaged meanwhile. */
      readonly set_aside?: string;
    }
  | { readonly id: number; readonly ok: false; readonly code: string; readonly text: string };

export interface WriterData {
  /** Requests come and answers go here. */
  readonly port: MessagePort;
  /** One number: the answers that were given so far, each counted after it was sent. */
  readonly given: Int32Array;
  readonly path: string;
  readonly epoch: string;
  readonly now: number;
  readonly quota_bytes: number;
  readonly delivered_rows: number | undefined;
  readonly rows_kept: number | undefined;
}
