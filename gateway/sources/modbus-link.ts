/** An open bus, whatever carries it: one request at a time, and every end of it is an outcome. */
import type { ModbusBlock } from './modbus-blocks.ts';

export type Outcome =
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'exception'; readonly exception: number; readonly detail: string }
  /** @property noise hex of what was heard instead, its first bytes; null: nothing */
  | { readonly kind: 'silence'; readonly detail: string; readonly noise?: string | null }
  /** Not asked: an answer to an earlier question could be taken for its answer so long. */
  | { readonly kind: 'early'; readonly wait_ms: number };

export interface ModbusLink {
  /** Never rejects: what goes wrong with one unit is an outcome. */
  ask(block: ModbusBlock): Promise<Outcome>;
  /** Aborts when the connection is lost; its reason is the error. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** How a bus is reached. */
export interface ModbusBus {
  /** Throws when it cannot be had. Gives up when `stop` aborts. */
  open(stop: AbortSignal): Promise<ModbusLink>;
  /** Whether its answers carry no number of the request: see modbus-blocks.ts. */
  readonly by_length: boolean;
  /** After a silence the connection is dropped, or kept. */
  readonly drops_on_silence: boolean;
  /** Pauses before it is opened again. */
  readonly reopen: { readonly base_ms: number; readonly cap_ms: number };
  /** Bus time after a silence, until a late answer has passed. */
  readonly quarantine_ms: number;
}

/** A device on the network that is away may be restarting. */
export const reconnect = { base_ms: 500, cap_ms: 15_000 };

/** What was asked, for people. */
export function askedText({ function: code, start, count, spare }: ModbusBlock): string {
  return `function ${code}, registers ${start} to ${start + count - spare - 1}`;
}

const exceptionTexts: Record<number, string> = {
  1: 'Illegal function',
  2: 'Illegal data address',
  3: 'Illegal data value',
  4: 'Slave device failure',
  5: 'Acknowledge',
  6: 'Slave device busy',
  10: 'Gateway path unavailable',
  11: 'Gateway target device failed to respond',
};

export function exceptionText(exception: number): string {
  return `Modbus exception ${exception}: ${exceptionTexts[exception] ?? 'unknown'}`;
}
