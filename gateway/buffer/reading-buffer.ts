/**
 * The buffer as the rest of the gateway sees it: append an entry, and the promise resolves when it
 * is on disk. Entries that arrive together share one transaction and one fsync.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type CommitMode, CommitPace, worthwhile_entries } from './commit-pace.ts';
import type { OutgoingBatch } from './delivery.ts';
import type {
  Asked,
  BufferStats,
  Entry,
  HqMemory,
  Lane,
  PendingBatch,
  QuarantineRow,
  Reconciled,
  Refusal,
  UndatedRow,
} from './entry.ts';
import { type Group, GroupDraft } from './group.ts';
import { Writer } from './writer.ts';
import type { WriterOperations } from './writer-protocol.ts';

/** A group this large is written at once. */
const group_entries_max = 500;
/** Pause before a failed commit is tried again: the disk may have room by then. */
const commit_retry_ms = 1_000;

/** What gathers for the next commit; everybody in it waits for the same promise. */
interface OpenGroup {
  readonly draft: GroupDraft;
  readonly durable: Promise<void>;
  readonly settle: () => void;
  /** Of its first and its last entry; monotonic, ms. */
  readonly opened_at: number;
  last_at: number;
}

export interface BufferOptions {
  readonly path: string;
  readonly mode: CommitMode;
  /** What the file may hold, bytes. */
  readonly quota_bytes: number;
  /** Delivered readings that stay; missing: as many as a restart looks at. */
  readonly delivered_rows?: number;
  /** The newest readings, which stay as they are at the quota; missing: as many as a restart looks at. */
  readonly rows_kept?: number;
  readonly clock: Clock;
  readonly log: Log;
}

export class ReadingBuffer {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #writer: Writer;
  #open: OpenGroup | undefined;
  #writing = false;
  readonly #mode: CommitMode;
  readonly #pace: CommitPace;
  /** When the open group is written, monotonic ms; undefined while nothing waits. */
  #due_at: number | undefined;
  #stopWaiting = () => {};
  #failure: string | null = null;
  #closed = false;
  #closing: Promise<void> | undefined;

  private constructor(options: BufferOptions) {
    this.#clock = options.clock;
    this.#log = options.log;
    this.#mode = options.mode;
    this.#pace = new CommitPace(options.mode, options.clock.monotonic());
    const { path, quota_bytes, delivered_rows, rows_kept, clock, log } = options;
    const identity = { epoch: clock.uuid(), now: clock.now() };
    const data = { path, ...identity, quota_bytes, delivered_rows, rows_kept };
    this.#writer = new Writer(data, (detail) => log.error({ detail }, 'buffer_damaged'));
  }

  /**
   * Opens the file, or creates it with a new epoch.
   *
   * @throws FootbridgeError already_running, buffer_newer, buffer_not_durable, buffer_write_failed
   */
  static async open(
    options: BufferOptions,
  ): Promise<{ buffer: ReadingBuffer; recovered: ReturnType<WriterOperations['recover']> }> {
    const buffer = new ReadingBuffer(options);
    try {
      return { buffer, recovered: await buffer.#writer.call('recover') };
    } catch (error) {
      await buffer.#writer.terminate();
      throw error;
    }
  }

  /**
   * Resolves when the entries survive a power cut, which reach the disk together or not at all. Never
   * rejects: while the disk fails they wait and are tried again, so nobody acknowledges them and
   * nothing after them overtakes them. Entries of one commit get the same promise.
   */
  append(entries: readonly Entry[]): Promise<void> {
    this.#writer.takeAnswers();
    this.#open ??= openGroup(this.#clock.monotonic());
    const { draft, durable } = this.#open;
    const before = draft.entries;
    for (const entry of entries) draft.add(entry);
    // Between the two it is settled when the group is written, and asking for the time is not free.
    if (before < worthwhile_entries || draft.entries >= group_entries_max) {
      const now = this.#clock.monotonic();
      this.#open.last_at = now;
      if (!this.#writing) this.#plan(now);
    }
    return durable;
  }

  /** Why the last commit failed, or null while commits succeed. */
  get failure(): string | null {
    return this.#failure;
  }

  /** What an acknowledgement means at the moment; `degraded`: none is given. */
  get durability(): 'fsync' | 'eco' | 'degraded' {
    if (this.#failure !== null) return 'degraded';
    return this.#mode === 'eco' ? 'eco' : 'fsync';
  }

  /** @param held ids of the batches that the caller is sending now. */
  nextBatch(lane: Lane, rows_max: number, held: readonly string[]): Promise<OutgoingBatch | null> {
    return this.#writer.call('nextBatch', lane, { rows_max, batch_id: this.#clock.uuid(), held });
  }

  settle(batch: PendingBatch, refusals: readonly Refusal[]): Promise<void> {
    return this.#writer.call('settle', batch, refusals, this.#clock.now());
  }

  /** HQ will never take this one-reading batch: the reading goes to quarantine. */
  refuse(batch: PendingBatch, refusal: Omit<Refusal, 'sequence'>): Promise<void> {
    return this.#writer.call('refuse', batch, refusal, this.#clock.now());
  }

  abandon(batch_id: string): Promise<void> {
    return this.#writer.call('abandon', batch_id);
  }

  /** Whoever delivers from now on, see {@link Delivery.deliverAs}. */
  deliverAs(gateway_id: string): Promise<void> {
    return this.#writer.call('deliverAs', gateway_id);
  }

  /** Takes HQ's memory for true, see reconcile.ts. */
  reconcile(hq: HqMemory, asked: Omit<Asked, 'now'>): Promise<Reconciled> {
    return this.#writer.call('reconcile', hq, { ...asked, now: this.#clock.now() });
  }

  stats(): Promise<BufferStats> {
    return this.#writer.call('stats');
  }

  quarantine(limit: number): Promise<QuarantineRow[]> {
    return this.#writer.call('quarantine', limit);
  }

  /** The oldest records on disk that came before the clock was set. */
  undated(limit: number): Promise<UndatedRow[]> {
    return this.#writer.call('undated', limit);
  }

  /** Writes what waits and closes the file. While the disk fails, unacknowledged entries are left. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    while ((this.#open !== undefined || this.#writing) && this.#failure === null) {
      this.#write();
      await this.#clock.sleep(1);
    }
    this.#closed = true;
    this.#stopWaiting();
    await this.#writer.call('close');
    await this.#writer.terminate();
  }

  /** A full group is written at once, another when it has gathered long enough. */
  #plan(now: number): void {
    if (this.#open === undefined) return;
    const { draft, opened_at, last_at } = this.#open;
    if (draft.entries >= group_entries_max) {
      this.#write();
      return;
    }
    const due_at = this.#pace.due_at({ entries: draft.entries, opened_at, last_at }, now);
    if (this.#due_at !== undefined && this.#due_at <= due_at) return;
    this.#stopWaiting();
    this.#due_at = due_at;
    this.#stopWaiting = this.#clock.after(Math.max(0, due_at - now), () => this.#due());
  }

  /** What came while it waited may have moved the time. */
  #due(): void {
    const now = this.#clock.monotonic();
    this.#due_at = undefined;
    if (this.#open === undefined) return;
    const { draft, opened_at, last_at } = this.#open;
    const due_at = this.#pace.due_at({ entries: draft.entries, opened_at, last_at }, now);
    if (due_at > now + 1) this.#plan(now);
    else this.#write();
  }

  #write(): void {
    this.#stopWaiting();
    this.#due_at = undefined;
    if (this.#writing || this.#open === undefined) return;
    this.#writing = true;
    const group = this.#open;
    this.#open = undefined;
    this.#pace.spent(group.draft.entries, this.#clock.monotonic());
    void this.#writeGroup(group);
  }

  async #writeGroup({ draft, settle }: OpenGroup): Promise<void> {
    const group = draft.finish();
    while (!(await this.#tryCommit(group))) {
      await this.#clock.sleep(commit_retry_ms);
      if (this.#closed) return;
    }
    this.#writing = false;
    settle();
    this.#plan(this.#clock.monotonic());
  }

  /** @returns whether the group is on disk. */
  async #tryCommit(group: Group): Promise<boolean> {
    try {
      await this.#writer.call('commit', group);
      if (this.#failure !== null) this.#log.info('the buffer can be written again');
      this.#failure = null;
      return true;
    } catch (error) {
      if (!(error instanceof FootbridgeError)) throw error;
      const text = errorText(error);
      if (this.#failure !== text) this.#log.error({ detail: text }, error.code);
      this.#failure = text;
      return false;
    }
  }
}

function openGroup(opened_at: number): OpenGroup {
  let settle = () => {};
  const durable = new Promise<void>((resolve) => {
    settle = resolve;
  });
  return { draft: new GroupDraft(), durable, settle, opened_at, last_at: opened_at };
}
