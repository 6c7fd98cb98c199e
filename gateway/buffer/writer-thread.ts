/**
 * The one thread that owns the buffer file. fsync takes 20 ms and more on an SD card; on the main
 * thread it would stop MQTT keep-alives and Modbus timing for as long.
 */
import { statSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { systemClock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import { isDamaged } from './buffer-file.ts';
import { ReadingLog } from './reading-log.ts';
import { type KnownLog, replaceDamaged } from './replacement.ts';
import { Reserve } from './reserve.ts';
import { openBuffer } from './schema.ts';
import type { SchemaMove } from './schema-version.ts';
import type {
  WriterAnswer,
  WriterData,
  WriterOperations,
  WriterRequest,
} from './writer-protocol.ts';

const { port, given, path, epoch, now, quota_bytes, delivered_rows, rows_kept } =
  workerData as WriterData;
const limits = {
  quota_bytes,
  ...(delivered_rows === undefined ? {} : { delivered_rows }),
  ...(rows_kept === undefined ? {} : { rows_kept }),
};

/** Opened by the first request, so that a failure to open answers that request. */
let log: ReadingLog | undefined;
let schema: SchemaMove = { from: 0, to: 0 };
const reserve = new Reserve(`${path}.reserve`);
/** Deleted rows of so much let commits go on while the disk has no room. */
const reusable_bytes_min = 1024 * 1024;
/** Pause before a piece of a damaged file is tried again that the disk had no room for. */
const salvage_retry_ms = 10_000;
let cancelSalvage = () => {};
/** A file that was set aside since the last answer. */
let set_aside_now: string | undefined;

function operations(): WriterOperations {
  if (log === undefined) {
    log = openLog();
    salvage();
  }
  const opened = log;
  return {
    recover: () => ({ ...opened.recover(), schema }),
    commit: (group) => {
      assertRoom(opened);
      opened.commit(group);
    },
    nextBatch: (lane, options) => opened.nextBatch(lane, options),
    settle: (batch, refusals, at) => opened.settle(batch, refusals, at),
    refuse: (batch, refusal, at) => opened.refuse(batch, refusal, at),
    abandon: (batch_id) => opened.abandon(batch_id),
    deliverAs: (gateway_id) => opened.deliverAs(gateway_id),
    reconcile: (hq, asked) => opened.reconcile(hq, asked),
    stats: () => ({
      ...opened.stats(),
      bytes: size(path) + size(`${path}-wal`),
      reserve: reserve.isHeld ? 'held' : 'released',
    }),
    quarantine: (limit) => opened.quarantine(limit),
    undated: (limit) => opened.undated(limit),
    close: () => {
      cancelSalvage();
      opened.close();
    },
  };
}

function openLog(): ReadingLog {
  reserve.take();
  const { connection, set_aside, schema: moved } = openBuffer(path, { epoch, now });
  schema = moved;
  try {
    return new ReadingLog(connection, set_aside, limits);
  } catch (error) {
    connection.close();
    if (!isDamaged(error)) throw error;
    return openReplacement();
  }
}

function openReplacement(known?: KnownLog): ReadingLog {
  const identity = { epoch: systemClock.uuid(), now: systemClock.now() };
  const { connection, set_aside } = replaceDamaged(path, identity, known);
  set_aside_now = set_aside;
  return new ReadingLog(connection, set_aside, limits);
}

function size(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Without the reserve, new readings may only fill what delivered ones have left. */
function assertRoom(opened: ReadingLog): void {
  if (reserve.take() || opened.reusable_bytes >= reusable_bytes_min) return;
  throw new FootbridgeError('buffer_write_failed', 'the disk is full, and its reserve is given up');
}

/** What frees the disk goes on when it is full: a delivery, the ledger. */
function runOnReserve(request: WriterRequest): unknown {
  try {
    return run(request);
  } catch (error) {
    if (request.operation === 'commit' || !isFull(error) || !reserve.release()) throw error;
    return run(request);
  }
}

function isFull(error: unknown): boolean {
  return (
    (error as { code?: string }).code === 'SQLITE_FULL' || /ENOSPC|is full/.test(errorText(error))
  );
}

/** A damaged page of a large file is met where it is read: another file takes its place. */
function run({ operation, parameters }: WriterRequest): unknown {
  const perform = () =>
    (operations()[operation] as (...parameters: unknown[]) => unknown)(...parameters);
  try {
    return perform();
  } catch (error) {
    replace(error);
    return perform();
  }
}

/** @throws the error itself where no other file would help. */
function replace(error: unknown): void {
  if (log === undefined || !isDamaged(error)) throw error;
  const { known } = log;
  log.close();
  // Where that fails, the next request opens what is there.
  log = undefined;
  log = openReplacement(known);
  salvage();
}

/** Between two pieces whoever waits has a turn, and the disk as much rest as it had work. */
function salvage(): void {
  cancelSalvage();
  if (log === undefined) return;
  const begun_at = systemClock.monotonic();
  let pause_ms = salvage_retry_ms;
  try {
    const isDone = reserve.take() && log.salvage.step(systemClock.now());
    if (isDone) pause_ms = Math.max(1, systemClock.monotonic() - begun_at);
    else if (log.salvage.left === 0) return;
  } catch (error) {
    // A disk without room, a file that somebody moved away: what is in it waits, and status says so.
    if (isDamaged(error)) {
      replace(error);
      return;
    }
  }
  cancelSalvage = systemClock.after(pause_ms, salvage);
}

function answer(request: WriterRequest): WriterAnswer {
  try {
    const result = runOnReserve(request);
    const set_aside = request.operation === 'recover' ? undefined : set_aside_now;
    set_aside_now = undefined;
    return { id: request.id, ok: true, result, ...(set_aside === undefined ? {} : { set_aside }) };
  } catch (error) {
    const code = error instanceof FootbridgeError ? error.code : 'buffer_write_failed';
    const detail = error instanceof FootbridgeError ? (error.detail ?? '') : errorText(error);
    return { id: request.id, ok: false, code, text: detail };
  }
}

port.on('message', (request: WriterRequest) => {
  port.postMessage(answer(request));
  Atomics.add(given, 0, 1);
  if (request.operation === 'close') port.close();
});
