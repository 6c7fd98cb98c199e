/** A gateway from its registry to its buffer, without a disk below the buffer. */
import { join } from 'node:path';
import type { Entry, QuarantinedFrame } from '../../gateway/buffer/entry.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Strangers } from '../../gateway/pairing/strangers.ts';
import { Pipeline, type PipelineOptions } from '../../gateway/pipeline.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import type { Profile } from '../../gateway/profiles/profile.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { Reading } from '../../shared/wire/reading.ts';
import { root } from '../rules/sources.ts';
import type { Workspace } from './workspace.ts';

export const builtIn = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
/** When the first message is received; the next follow a minute apart. */
const opening = Date.parse('2026-03-01T10:00:00Z');

export interface CountingStore {
  readonly registry: SensorRegistry;
  readonly pipeline: Pipeline;
  readonly strangers: Strangers;
  readonly readings: Reading[];
  readonly quarantined: QuarantinedFrame[];
  pair(sensor: object): void;
  /** A message as a source hands it on; objects become JSON. */
  say(address: string, message: unknown, retained?: boolean): Promise<void>;
}

/** @param profiles beside those built in. */
export function countingStore(
  workspace: Workspace,
  profiles: readonly Profile[] = [],
  tell?: PipelineOptions['tell'],
): CountingStore {
  const catalogue = new Map([...builtIn, ...profiles.map((each) => [each.name, each] as const)]);
  const registry = new SensorRegistry(join(workspace.folder(), 'sensors.json'), catalogue);
  const readings: Reading[] = [];
  const quarantined: QuarantinedFrame[] = [];
  const strangers = new Strangers();
  const pipeline = new Pipeline({
    registry,
    buffer: {
      append: async (entries: readonly Entry[]) => {
        for (const entry of entries) {
          readings.push(...entry.readings);
          quarantined.push(...entry.quarantined);
        }
      },
    },
    recovered: { meters: [], keys: [] },
    runScript: () => Promise.reject(new Error('no script is expected')),
    strangers,
    ...(tell === undefined ? {} : { tell }),
    report_interval_ms: 60_000,
    clock: systemClock,
    log: silentLog,
  });
  let minutes = 0;
  return {
    registry,
    pipeline,
    strangers,
    readings,
    quarantined,
    pair: (sensor) => {
      registry.pair({ source: 'sensors', ...sensor }, () => {});
    },
    say: (address, message, retained = false) => {
      const received_at = opening + minutes * 60_000;
      minutes += 1;
      const isText = typeof message === 'string';
      const bytes =
        message instanceof Uint8Array
          ? message
          : Buffer.from(isText ? message : JSON.stringify(message));
      return pipeline.accept({ source: 'sensors', address, bytes, received_at, retained });
    },
  };
}
