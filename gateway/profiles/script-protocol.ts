/** What the thread of script codecs and the one that waits for it tell each other. */

/** CPU time of one call. */
export const script_ms_max = 20;

export interface ScriptThreadData {
  /** Shared: CPU time of the thread when the request at hand began, ms; id of the last one answered. */
  readonly progress: Float64Array<SharedArrayBuffer>;
}

/** The thread's first message: it is warm, and this file tells its CPU time (or null). */
export interface ScriptThreadReady {
  readonly task: string | null;
}

/** A script by its number: first its text, then what it is called with. */
export type ScriptRequest = { readonly id: number; readonly script: number } & (
  | { readonly source: string }
  | { readonly bytes: Uint8Array; readonly port: number }
);

export type ScriptAnswer =
  | { readonly id: number; readonly loaded: true }
  | { readonly id: number; readonly json: string }
  | { readonly id: number; readonly error: string };

/** CPU time of a thread from its `/proc/…/schedstat` (Linux, sched-stats.rst): the first number, ns. */
export function cpuTime_ms(task: string, read: (path: string, encoding: 'utf8') => string): number {
  return Number(read(task, 'utf8').split(' ', 1)[0]) / 1e6;
}
