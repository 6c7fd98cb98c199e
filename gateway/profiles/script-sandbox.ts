/**
 * Runs script codecs in a thread of their own, one call after another. A call that has used its CPU
 * time without an answer loses its thread, wherever in the engine it is; the next call gets a new one.
 * Meanwhile this thread goes on: sources are read and commits are made.
 */
import { readFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { RunScript } from './measure.ts';
import {
  cpuTime_ms,
  type ScriptAnswer,
  type ScriptRequest,
  type ScriptThreadData,
  type ScriptThreadReady,
  script_ms_max,
} from './script-protocol.ts';

/** Reading a script's text and starting an engine for it, once a thread. */
const load_ms_max = 250;

interface Waiting {
  readonly source: string;
  readonly bytes: Uint8Array;
  readonly port: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** One thread and what it knows. */
interface Thread {
  readonly worker: Worker;
  readonly progress: Float64Array<SharedArrayBuffer>;
  /** Scripts whose text it has, by number. */
  readonly scripts: Map<string, number>;
  /** Null until it is warm. */
  ready: ScriptThreadReady | null;
}

export class ScriptSandbox {
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];
  #thread: Thread | null = null;
  /** What the thread is at, for the first of those who wait. */
  #request: { readonly id: number; stopWatching: () => void } | null = null;
  #requests_made = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Answers come in the order of the calls. The thread starts with the first. */
  readonly run: RunScript = (source, bytes, port) =>
    new Promise((resolve, reject) => {
      this.#waiting.push({ source, bytes, port, resolve, reject });
      this.#next();
    });

  async close(): Promise<void> {
    const thread = this.#thread;
    this.#end(new Error('the gateway stops'));
    for (const { reject } of this.#waiting.splice(0)) reject(new Error('the gateway stops'));
    await thread?.worker.terminate();
  }

  #next(): void {
    const [waiting] = this.#waiting;
    if (this.#request !== null || waiting === undefined) return;
    this.#thread ??= this.#start();
    const thread = this.#thread;
    if (thread.ready === null) return;
    this.#requests_made += 1;
    const id = this.#requests_made;
    const { source, bytes, port } = waiting;
    const script = thread.scripts.get(source);
    const request: ScriptRequest =
      script === undefined
        ? { id, script: thread.scripts.size, source }
        : { id, script, bytes, port };
    if (script === undefined) thread.scripts.set(source, request.script);
    this.#request = { id, stopWatching: () => {} };
    thread.worker.postMessage(request);
    this.#watch(thread, id, script === undefined ? load_ms_max : script_ms_max);
  }

  #start(): Thread {
    const progress = new Float64Array(new SharedArrayBuffer(16));
    const workerData: ScriptThreadData = { progress };
    const worker = new Worker(new URL('./script-thread.js', import.meta.url), { workerData });
    const thread: Thread = { worker, progress, scripts: new Map(), ready: null };
    worker.unref();
    worker.on('message', (message: ScriptThreadReady | ScriptAnswer) => {
      if (this.#thread !== thread) return;
      if ('task' in message) thread.ready = message;
      else this.#settle(message);
      this.#next();
    });
    worker.on('error', (error) => {
      if (this.#thread !== thread) return;
      this.#end(error);
      this.#next();
    });
    return thread;
  }

  /** Looks again after as long as it may still take. The machine standing still costs it nothing. */
  #watch(thread: Thread, id: number, limit_ms: number, left_ms = limit_ms): void {
    const stopWatching = this.#clock.after(Math.max(1, Math.ceil(left_ms)), () => {
      if (this.#request?.id !== id || thread.progress[1] === id) return;
      const task = thread.ready?.task ?? null;
      const began = thread.progress[0] ?? Number.NaN;
      const used = task === null ? limit_ms : cpuTime_ms(task, readFileSync) - began;
      if (used < limit_ms) return this.#watch(thread, id, limit_ms, limit_ms - used);
      this.#end(new Error(`the script ran longer than ${limit_ms} ms`));
      this.#next();
    });
    if (this.#request !== null) this.#request.stopWatching = stopWatching;
  }

  #settle(answer: ScriptAnswer): void {
    if (this.#request?.id !== answer.id) return;
    this.#request.stopWatching();
    this.#request = null;
    if ('loaded' in answer) return;
    const waiting = this.#waiting.shift();
    if ('error' in answer) waiting?.reject(new Error(answer.error));
    else waiting?.resolve(JSON.parse(answer.json));
  }

  /** Ends the thread and what it was at. */
  #end(error: Error): void {
    const { worker } = this.#thread ?? {};
    this.#thread = null;
    void worker?.terminate();
    this.#request?.stopWatching();
    this.#request = null;
    this.#waiting.shift()?.reject(error);
  }
}
