/** Stores of a bench, days of their readings, and the way these take into hours and days. */
import { randomUUID } from 'node:crypto';
import type { Database } from '../cloud-sync/db/pool.ts';
import { type GatewayIdentity, sha256 } from '../cloud-sync/gateways/credentials.ts';
import { enrollGateway } from '../cloud-sync/gateways/enroll.ts';
import { inviteGateway } from '../cloud-sync/gateways/registry.ts';
import { Admission } from '../cloud-sync/http/admission.ts';
import { ingestBatch } from '../cloud-sync/ingest/ingest-batch.ts';
import { foldDays } from '../cloud-sync/rollups/fold-days.ts';
import { rollUp } from '../cloud-sync/rollups/roll-up.ts';
import type { Organization } from '../cloud-sync/tenants/organizations.ts';
import { addStore } from '../cloud-sync/tenants/stores.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import type { Batch } from '../shared/wire/batch.ts';
import { toBatch } from '../shared/wire/batch.ts';
import type { BufferedReading } from '../shared/wire/reading.ts';

export const clock = systemClock;
export const sensors = 10;
export const minute_ms = 60_000;
/** As the gateway sends: at most 5,000 readings. */
const batch_minutes = 500;

export async function storeOf(
  db: Database,
  organization: Organization,
  code: string,
): Promise<GatewayIdentity> {
  const store = await addStore(db, organization, { code, name: code, timezone: 'Europe/Madrid' });
  const { token } = await inviteGateway(db, organization, code, clock.now());
  const request = { token, secret_hash: sha256(code).toString('hex'), name: code, version: '0' };
  const { gateway_id, credential_id } = await enrollGateway(db, request, clock.now());
  return { organization_id: organization.id, store_id: store.id, gateway_id, credential_id };
}

/** Every sensor once a minute; built beforehand, because the gateway's work is not measured here. */
export function batches(from: number, until: number, first_sequence = 1): Batch[] {
  const all: Batch[] = [];
  const epoch = randomUUID();
  let sequence = first_sequence;
  for (let start = from; start < until; start += batch_minutes * minute_ms) {
    const readings: BufferedReading[] = [];
    for (let m = start; m < Math.min(until, start + batch_minutes * minute_ms); m += minute_ms) {
      for (let s = 0; s < sensors; s += 1) {
        const people = { in: (m / minute_ms + s) % 7, out: (m / minute_ms + 3 * s) % 6 };
        const times = { observed_at: m, interval_s: 60, received_at: m + minute_ms };
        readings.push({
          kind: 'count',
          sequence,
          sensor_id: `door-${s}`,
          ...times,
          ...people,
          flags: 0,
        });
        sequence += 1;
      }
    }
    const first = readings[0]?.sequence ?? 0;
    const identity = {
      batch_id: randomUUID(),
      epoch,
      first_sequence: first,
      last_sequence: sequence - 1,
    };
    all.push(toBatch(identity, readings));
  }
  return all;
}

/** As a gateway drains its backlog: in as many lanes as HQ grants to one that comes alone. */
export async function deliver(
  db: Database,
  gateway: GatewayIdentity,
  all: readonly Batch[],
  delivered = () => {},
): Promise<void> {
  const { in_flight } = new Admission(clock).budget();
  const left = all.values();
  const lane = async () => {
    for (const one of left) {
      await ingestBatch(db, gateway, one, sha256(one.batch_id));
      delivered();
    }
  };
  await Promise.all(Array.from({ length: in_flight }, lane));
}

export async function settle(db: Database, organization_id: string): Promise<void> {
  while ((await rollUp(db, organization_id)) > 0);
  while ((await foldDays(db, organization_id, clock.now())) > 0);
}

export async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = clock.monotonic();
  await work();
  return clock.monotonic() - start;
}
