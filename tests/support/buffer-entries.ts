/** Entries for a buffer, numbered from the test, and what a batch of it holds. */
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { Entry } from '../../gateway/buffer/entry.ts';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { messageKey } from '../../gateway/meters/message-key.ts';
import { newMeterState } from '../../gateway/meters/meter.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { batchSchema } from '../../shared/wire/batch.ts';
import type { Workspace } from './workspace.ts';

export const newPath = (workspace: Workspace) => join(workspace.folder(), 'buffer.sqlite');

/** The buffer in this file, closed after the test. */
export async function openIn(workspace: Workspace, path = newPath(workspace)) {
  const opened = await ReadingBuffer.open({
    path,
    mode: 'prompt',
    quota_bytes: Number.POSITIVE_INFINITY,
    clock: systemClock,
    log: silentLog,
  });
  workspace.onEnd(() => opened.buffer.close().catch(() => {}));
  return opened;
}

/** A count of `i` people in the `i`th second of 2026, under the key `key-i`. */
export function entry(i: number, over: Partial<Entry> = {}): Entry {
  return {
    readings: [
      {
        kind: 'count',
        sensor_id: 'front-door',
        observed_at: 1_767_225_600_000 + i * 1000,
        interval_s: 1,
        in: i,
        out: 0,
        received_at: 1_767_225_600_000 + i * 1000,
        flags: 0,
      },
    ],
    dedupe_key: messageKey(`key-${i}`),
    meter: { sensor_id: 'front-door', state: { ...newMeterState, since: i } },
    quarantined: [],
    ...over,
  };
}

/** Both numbers included. */
export const fill = (buffer: ReadingBuffer, from: number, to: number) =>
  Promise.all(Array.from({ length: to - from + 1 }, (_, i) => buffer.append([entry(from + i)])));

/** The oldest rows, whichever lane they belong to. */
export const nextOf = async (buffer: ReadingBuffer, rows_max: number) =>
  (await buffer.nextBatch('backlog', rows_max, [])) ?? buffer.nextBatch('live', rows_max, []);

export const batchIn = (sent: OutgoingBatch | null) =>
  sent === null ? null : batchSchema.parse(JSON.parse(gunzipSync(sent.body).toString()));
export const sequencesIn = (sent: OutgoingBatch | null) => batchIn(sent)?.counts.sequence;
