/** Collects what a source hands on, and waits for it. */
import type { Accept, Frame } from '../../gateway/sources/source.ts';
import { systemClock } from '../../shared/runtime/clock.ts';

export interface FrameLog {
  readonly frames: Frame[];
  readonly accept: Accept;
  /** Addresses and bytes in hex, or the fault's reason. */
  told(): string[];
}

export function collectFrames(): FrameLog {
  const frames: Frame[] = [];
  return {
    frames,
    accept: async (frame) => {
      frames.push(frame);
    },
    told: () =>
      frames.map((frame) => {
        return `${frame.address} ${frame.fault?.reason ?? Buffer.from(frame.bytes).toString('hex')}`;
      }),
  };
}

/** Resolves when `holds` does; fails after `within_ms` with what was waited for. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  within_ms = 5_000,
): Promise<void> {
  const deadline = systemClock.monotonic() + within_ms;
  while (!(await holds())) {
    if (systemClock.monotonic() > deadline) throw new Error(`not within ${within_ms} ms: ${what}`);
    await systemClock.sleep(5);
  }
}
