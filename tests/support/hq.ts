/** A running HQ on a database of its own, and gateways that speak to it over HTTP. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { inviteGateway } from '../../cloud-sync/gateways/registry.ts';
import { startService } from '../../cloud-sync/main.ts';
import type { Organization } from '../../cloud-sync/tenants/organizations.ts';
import { addOrganization } from '../../cloud-sync/tenants/organizations.ts';
import { addStore } from '../../cloud-sync/tenants/stores.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import type { Batch, BatchAnswer } from '../../shared/wire/batch.ts';
import { toBatch } from '../../shared/wire/batch.ts';
import type { EnrollAnswer } from '../../shared/wire/enroll.ts';
import type { BufferedReading } from '../../shared/wire/reading.ts';
import type { Engine, TestDatabase } from './postgres.ts';
import { openTestDatabase } from './postgres.ts';

export interface Answer<T = unknown> {
  status: number;
  body: T;
}

export interface Hq extends TestDatabase {
  readonly url: string;
  post<T = unknown>(
    path: string,
    body: string | Buffer | object,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
}

export async function openHq(
  engine: Engine,
  options: { heartbeat_grace_s?: number; clock?: Clock } = {},
): Promise<Hq> {
  const database = await openTestDatabase(engine);
  const service = await startService({
    db: database.db,
    listen: { host: '127.0.0.1', port: 0 },
    heartbeat_grace_s: options.heartbeat_grace_s ?? 180,
    mail: null,
    notify: {},
    clock: options.clock ?? systemClock,
    log: silentLog,
  });
  return {
    ...database,
    url: service.url,
    async post<T>(path: string, body: string | Buffer | object, headers = {}) {
      const raw = typeof body === 'string' || Buffer.isBuffer(body);
      const response = await fetch(service.url + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body: raw ? new Uint8Array(Buffer.from(body)) : JSON.stringify(body),
      });
      return { status: response.status, body: (await response.json()) as T };
    },
    async close() {
      await service.stop();
      await database.close();
    },
  };
}

export interface TestStore {
  readonly organization: Organization;
  readonly store_id: string;
  readonly code: string;
}

/** A store, in an organization of its own unless one is given. */
export async function addTestStore(
  hq: TestDatabase,
  options: { timezone?: string; organization?: Organization; code?: string } = {},
): Promise<TestStore> {
  const organization =
    options.organization ??
    (await addOrganization(hq.db, { slug: `org-${randomUUID()}`, name: 'Organization' }));
  const code = options.code ?? `store-${randomBytes(3).toString('hex')}`;
  const timezone = options.timezone ?? 'Europe/Madrid';
  const store = await addStore(hq.db, organization, { code, name: 'Store', timezone });
  return { organization, store_id: store.id, code };
}

export interface TestGateway extends EnrollAnswer {
  readonly authorization: string;
  readonly epoch: string;
  send(
    body: Batch | Buffer | string,
    headers?: Record<string, string>,
  ): Promise<Answer<BatchAnswer>>;
}

export function newSecret(): { secret: string; secret_hash: string } {
  const secret = randomBytes(32).toString('base64url');
  return { secret, secret_hash: createHash('sha256').update(secret).digest('hex') };
}

/** A token for one gateway of the store. */
export async function inviteTo(hq: TestDatabase, store: TestStore): Promise<string> {
  return (await inviteGateway(hq.db, store.organization, store.code, systemClock.now())).token;
}

export async function enrollTestGateway(hq: Hq, store: TestStore): Promise<TestGateway> {
  const token = await inviteTo(hq, store);
  const { secret, secret_hash } = newSecret();
  const request = { token, secret_hash, name: 'store-pc', version: '0.1.0' };
  const answer = await hq.post<EnrollAnswer>('/v1/enroll', request);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  const authorization = `Bearer fbg_${answer.body.credential_id}_${secret}`;
  return {
    ...answer.body,
    authorization,
    epoch: randomUUID(),
    send(body, headers = {}) {
      const bytes = Buffer.isBuffer(body) || typeof body === 'string' ? body : gzip(body);
      return hq.post<BatchAnswer>('/v1/batches', bytes, {
        authorization,
        'content-encoding': 'gzip',
        ...headers,
      });
    },
  };
}

export function gzip(value: unknown): Buffer {
  return gzipSync(JSON.stringify(value));
}

/** The middle of the running month, so that every reading has a partition. */
export const noon = Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth(), 15, 12);

export function count(
  sequence: number,
  changes: Partial<Extract<BufferedReading, { kind: 'count' }>> = {},
): BufferedReading {
  return {
    kind: 'count',
    sequence,
    sensor_id: 'front-door',
    observed_at: noon + sequence * 60_000,
    interval_s: 60,
    in: 3,
    out: 1,
    received_at: noon + sequence * 60_000 + 60_000,
    flags: 0,
    ...changes,
  };
}

export function zone(
  sequence: number,
  changes: Partial<Extract<BufferedReading, { kind: 'zone' }>> = {},
): BufferedReading {
  return {
    kind: 'zone',
    sequence,
    sensor_id: 'till-zone',
    region_id: 'queue',
    observed_at: noon + sequence * 60_000,
    interval_s: 60,
    occupancy: 4,
    dwell_s: 12.5,
    dwell_max_s: null,
    received_at: noon + sequence * 60_000 + 60_000,
    flags: 0,
    ...changes,
  };
}

export function batch(
  gateway: Pick<TestGateway, 'epoch'>,
  readings: readonly BufferedReading[],
  changes: Partial<Batch> = {},
): Batch {
  const sequences = readings.map(({ sequence }) => sequence);
  const identity = {
    batch_id: randomUUID(),
    epoch: gateway.epoch,
    first_sequence: Math.min(...sequences),
    last_sequence: Math.max(...sequences),
  };
  return { ...toBatch(identity, readings), ...changes };
}

/** Asks until the answer is the wanted one; says the last one seen when time is up. */
export async function eventually<T>(
  ask: () => Promise<T>,
  wanted: (answer: T) => boolean,
  deadline_ms = 10_000,
): Promise<T> {
  const until = systemClock.monotonic() + deadline_ms;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (systemClock.monotonic() > until) throw new Error(`still ${JSON.stringify(answer)}`);
    await systemClock.sleep(50);
  }
}
