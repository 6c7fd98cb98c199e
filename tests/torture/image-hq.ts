/** HQ under torture with disk images: its line, what it holds, and backups of its database. */
import type { OutgoingBatch } from '../../gateway/buffer/delivery.ts';
import type { HttpAnswer } from '../../gateway/sync/outcome.ts';
import {
  addTestStore,
  enrollTestGateway,
  type Hq,
  openHq,
  type TestGateway,
} from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { type MessageName, timesIn, weighed } from './image-gateway.ts';

type Row = Record<string, unknown>;

/** What stands at HQ of one gateway, table by table. */
export type Backup = ReadonlyMap<string, readonly Row[]>;

export interface Request {
  readonly path: '/v1/batches' | '/v1/heartbeats';
  readonly body: Buffer;
}

export function batchRequest({ body }: OutgoingBatch): Request {
  return { path: '/v1/batches', body: Buffer.from(body) };
}

export class ImageHq {
  readonly #hq: Hq;
  readonly #gateway: TestGateway;
  readonly #start: number;

  private constructor(hq: Hq, gateway: TestGateway, start: number) {
    this.#hq = hq;
    this.#gateway = gateway;
    this.#start = start;
  }

  static async open(): Promise<Hq> {
    return openHq(anyEngine);
  }

  /** A new gateway in a store of its own. @param start a whole hour, ms since the epoch. */
  static async at(hq: Hq, start: number): Promise<ImageHq> {
    const gateway = await enrollTestGateway(hq, await addTestStore(hq, { timezone: 'UTC' }));
    return new ImageHq(hq, gateway, start);
  }

  get gateway_id(): string {
    return this.#gateway.gateway_id;
  }

  async ask({ path, body }: Request): Promise<HttpAnswer> {
    const encoding = path === '/v1/batches' ? { 'content-encoding': 'gzip' } : {};
    const { authorization } = this.#gateway;
    const answer = await this.#hq.post(path, body, { authorization, ...encoding });
    return {
      status: answer.status,
      retry_after: null,
      date: null,
      body: JSON.stringify(answer.body),
    };
  }

  /** How often HQ counts each message; one that is not in it counts not at all. */
  async counted(): Promise<Map<MessageName, number>> {
    const rows = await this.#asOwner<{ sensor: string; quarter: number; in: number; out: number }>(
      `select sensor_id as sensor, sum(in_count)::float8 as "in", sum(out_count)::float8 as out,
         floor((extract(epoch from "timestamp") * 1000 - $2) / 900000)::int as quarter
       from people_counting_raw where gateway_id = $1 group by 1, 4`,
      this.#start,
    );
    const counted = new Map<MessageName, number>();
    for (const { sensor, quarter, ...sum } of rows) {
      const known = weighed.find((one) => one === sensor);
      if (known === undefined) continue;
      for (const [minute, times] of timesIn(quarter, sum)) {
        if (times > 0) counted.set(`${known} ${minute}`, times);
      }
    }
    return counted;
  }

  async total(): Promise<number> {
    const [row] = await this.#asOwner<{ people: number }>(
      `select coalesce(sum(in_count), 0)::float8 as people from people_counting_raw
       where gateway_id = $1 and sensor_id = 'total'`,
    );
    return row?.people ?? 0;
  }

  /** Totals of the loss ledger by reason. */
  async ledger(): Promise<Map<string, number>> {
    const rows = await this.#asOwner<{ reason: string; count: number }>(
      `select reason, sum(count)::float8 as count from app.gateway_losses
       where gateway_id = $1 group by 1`,
    );
    return new Map(rows.map(({ reason, count }) => [reason, count]));
  }

  /** As a backup has it: the gateway's rows of every table, of one moment. */
  async backUp(): Promise<Backup> {
    const tables = await this.#hq.asOwner<{ name: string }>(
      `select distinct c.oid::regclass::text as name from pg_class c
       join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('app', 'public')
       join pg_attribute a on a.attrelid = c.oid and a.attname = 'gateway_id'
       where c.relkind in ('r', 'p') and not c.relispartition
         and c.relname ~ '^(people_counting_raw|ingest_batches|gateway_(?!credentials).*)$'`,
    );
    const backup = new Map<string, readonly Row[]>();
    for (const { name } of tables) {
      const rows = await this.#asOwner<{ row: Row }>(
        `select to_jsonb(t) as row from ${name} t where gateway_id = $1`,
      );
      backup.set(
        name,
        rows.map(({ row }) => row),
      );
    }
    return backup;
  }

  async restore(backup: Backup): Promise<void> {
    for (const [name, rows] of backup) {
      await this.#asOwner(`delete from ${name} where gateway_id = $1`);
      await this.#hq.asOwner(
        `insert into ${name} select * from jsonb_populate_recordset(null::${name}, $1::jsonb)`,
        [JSON.stringify(rows)],
      );
    }
  }

  #asOwner<T extends Row>(text: string, ...values: unknown[]): Promise<T[]> {
    return this.#hq.asOwner<T>(text, [this.#gateway.gateway_id, ...values]);
  }
}
