/** A clock that jumps to the next timer as soon as nothing else is to do: hours pass in seconds. */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';

export interface VirtualClock extends Clock {
  /** Lets time pass until the condition holds. */
  runUntil(isDone: () => boolean): Promise<void>;
}

export function virtualClock(random: () => number): VirtualClock {
  let now = 0;
  const timers = new Set<{ readonly at: number; readonly run: () => void }>();
  const after = (ms: number, run: () => void) => {
    const timer = { at: now + Math.max(0, ms), run };
    timers.add(timer);
    return () => {
      timers.delete(timer);
    };
  };
  const fireNext = () => {
    let first: { readonly at: number; readonly run: () => void } | undefined;
    for (const timer of timers) if (first === undefined || timer.at < first.at) first = timer;
    if (first === undefined) return;
    timers.delete(first);
    now = first.at;
    first.run();
  };
  return {
    now: () => Math.floor(now),
    monotonic: () => now,
    after,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted === true) return resolve();
        const wake = () => {
          cancel();
          signal?.removeEventListener('abort', wake);
          resolve();
        };
        const cancel = after(ms, wake);
        signal?.addEventListener('abort', wake);
      }),
    random,
    uuid: systemClock.uuid,
    runUntil: async (isDone) => {
      while (!isDone()) {
        await turn();
        fireNext();
      }
    },
  };
}
