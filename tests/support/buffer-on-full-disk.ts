/**
 * A buffer on a disk that fills up and gets room again, in a process of its own: run it where the folder
 * it is given is a small disk. Prints what it saw as JSON.
 */
import { closeSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ReadingBuffer } from '../../gateway/buffer/reading-buffer.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { eventually } from './frames.ts';

const [, , disk = ''] = process.argv;
const path = join(disk, 'buffer.sqlite');
const filler = join(disk, 'filler');
const limits = { mode: 'prompt' as const, quota_bytes: Number.POSITIVE_INFINITY };
const { buffer } = await ReadingBuffer.open({
  ...{ path, clock: systemClock, log: silentLog, ...limits },
});

function reading(i: number) {
  const times = { observed_at: 1_767_225_600_000 + i * 60_000, received_at: 1_767_225_660_000 };
  const shared = { sensor_id: 'door', interval_s: 60, flags: 0, ...times };
  const readings = [{ kind: 'count' as const, ...shared, in: 1, out: 0 }];
  return { readings, dedupe_key: null, meter: null, quarantined: [] };
}

const append = (from: number, rows: number) =>
  buffer.append(Array.from({ length: rows }, (_, i) => reading(from + i)));

/** Writes until the kernel says that there is no room. */
function fillUp(): void {
  const file = openSync(filler, 'w');
  for (const bytes of [65_536, 4_096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(bytes));
    } catch {
      // Smaller pieces may still fit.
    }
  }
  closeSync(file);
}

async function look() {
  const { reserve, settled_sequence, last_sequence, quarantined } = await buffer.stats();
  const { durability, failure } = buffer;
  const refused = quarantined.map(({ reason }) => reason);
  return { reserve, settled_sequence, last_sequence, refused, durability, failure };
}

await append(0, 400);
const reserve_bytes = statSync(`${path}.reserve`).blocks * 512;
const before = await look();
fillUp();
let isDurable = false;
const waiting = append(400, 400).then(() => {
  isDurable = true;
});
await eventually('a commit that fails', () => buffer.failure !== null);
const full = await look();
const sent = await buffer.nextBatch('backlog', 100, []);
if (sent === null) throw new Error('nothing is sent');
const refusal = { sequence: 1, code: 'reading_conflict', detail: 'another value' };
await buffer.settle(sent.batch, [refusal]);
const delivered = { ...(await look()), acknowledged: isDurable };
rmSync(filler);
await waiting;
const after = await look();
process.stdout.write(JSON.stringify({ reserve_bytes, before, full, delivered, after }));
process.exit();
