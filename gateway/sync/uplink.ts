/**
 * Everything that needs a credential: delivery, heartbeat and evidence. Waits for the enrolment while there
 * is none, and starts anew when the credential changes, so that `footbridge enroll` needs no restart
 * and an unenrolled gateway already counts.
 */
import { statSync } from 'node:fs';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { batch_rows_max } from '../../shared/wire/batch.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import type { ReadingBuffer } from '../buffer/reading-buffer.ts';
import { CommissioningLoop } from './commissioning-loop.ts';
import type { CommissioningOutbox } from './commissioning-outbox.ts';
import {
  type Credential,
  type CredentialPlaces,
  credentialPath,
  readCredential,
} from './credential.ts';
import { HeartbeatLoop, type HeartbeatOptions, type Names, type Unanswered } from './heartbeat.ts';
import { HqClient, type HqClientOptions } from './hq-client.ts';
import { SyncLoop, type SyncStatus } from './sync-loop.ts';

export interface UplinkOptions {
  readonly credential: CredentialPlaces;
  /** How HQ is reached. */
  readonly hq: HqClientOptions;
  readonly buffer: ReadingBuffer;
  readonly report: () => Promise<Heartbeat>;
  readonly outbox: CommissioningOutbox;
  readonly names: Names;
  readonly send_interval_ms: number;
  readonly retry_max_ms: number;
  readonly heartbeat_interval_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface UplinkStatus {
  /** Where the readings go; null before enrolment. */
  readonly enrolled: Omit<Credential, 'secret' | 'credential_id'> | null;
  /** Why the credential cannot be used, or null. */
  readonly fault: string | null;
  readonly sync: SyncStatus | null;
  readonly clock_skew_ms: number | null;
}

const credential_check_ms = 2_000;
/** What one batch may take of a line with a cap. */
const capped_batch_s = 5;
/** Measured on minute counts: 3 to 10. */
const compressed_bytes_per_row = 10;

export class Uplink implements Part {
  readonly name = 'uplink';
  readonly #options: UplinkOptions;
  #current:
    | {
        credential: Credential;
        client: HqClient;
        sync: SyncLoop;
        heartbeat: HeartbeatLoop;
        commissioning: CommissioningLoop;
      }
    | undefined;
  readonly #first_answer: HeartbeatOptions['first_answer'] = {};
  #read_version = '';
  #fault: string | null = null;
  #cancelCheck = () => {};
  #stopped = false;

  constructor(options: UplinkOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#check();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelCheck();
    await this.#disconnect();
  }

  status(): UplinkStatus {
    if (this.#current === undefined) {
      return { enrolled: null, fault: this.#fault, sync: null, clock_skew_ms: null };
    }
    const { credential, sync, heartbeat } = this.#current;
    const { hq_url, gateway_id, organization, store, timezone } = credential;
    return {
      enrolled: { hq_url, gateway_id, organization, store, timezone },
      fault: null,
      sync: heartbeat.answered.aborted ? sync.status() : waiting(heartbeat.unanswered),
      clock_skew_ms: heartbeat.skew_ms,
    };
  }

  async #check(): Promise<void> {
    const { own, handed } = this.#options.credential;
    const version = [own, ...(handed === undefined ? [] : [handed])].map(fileVersion).join('');
    if (version !== this.#read_version) {
      this.#read_version = version;
      await this.#disconnect();
      if (version !== '') await this.#connect();
    }
    if (this.#stopped) return;
    this.#cancelCheck = this.#options.clock.after(credential_check_ms, () => void this.#check());
  }

  async #connect(): Promise<void> {
    const { credential: places, clock, log } = this.#options;
    try {
      const credential = readCredential(credentialPath(places));
      await this.#options.buffer.deliverAs(credential.gateway_id);
      const client = new HqClient(credential.hq_url, clock, this.#options.hq);
      const rows_max = rowsFor(this.#options.hq.upload_bytes_per_s);
      const heartbeat = new HeartbeatLoop({
        client,
        credential,
        credential_path: places.own,
        buffer: this.#options.buffer,
        report: this.#options.report,
        names: this.#options.names,
        interval_ms: this.#options.heartbeat_interval_ms,
        first_answer: this.#first_answer,
        retry_max_ms: this.#options.retry_max_ms,
        clock,
        log,
      });
      const sync = new SyncLoop({ ...this.#options, client, credential, rows_max });
      const commissioning = new CommissioningLoop({ ...this.#options, client, credential });
      heartbeat.answered.addEventListener('abort', () => sync.start(), { once: true });
      heartbeat.start();
      commissioning.start();
      this.#current = { credential, client, sync, heartbeat, commissioning };
      this.#fault = null;
    } catch (error) {
      // A damaged file, cured by enrolling again, or a full disk: said in status, tried again.
      const fault = errorText(error);
      if (fault !== this.#fault) log.error({ detail: fault }, 'not_enrolled');
      this.#fault = fault;
      this.#read_version = '';
    }
  }

  async #disconnect(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await Promise.all([
      current?.sync.stop(),
      current?.heartbeat.stop(),
      current?.commissioning.stop(),
    ]);
    current?.client.close();
  }
}

/** What holds up the deliveries before HQ has answered for the first time. */
function waiting(unanswered: Unanswered | null): SyncStatus {
  const { state, error } = unanswered ?? { state: 'idle', error: null };
  return { state, error, last_delivered_at: null, backlog_delivered_at: null };
}

/** A live batch must not wait long behind one of the backlog on a slow line. */
function rowsFor(upload_bytes_per_s: number | undefined): number {
  if (upload_bytes_per_s === undefined) return batch_rows_max;
  const rows = Math.floor((upload_bytes_per_s * capped_batch_s) / compressed_bytes_per_row);
  return Math.max(10, Math.min(batch_rows_max, rows));
}

/** Changes when the file does; empty while there is none. */
function fileVersion(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino}:${stat.mtimeMs}`;
}
