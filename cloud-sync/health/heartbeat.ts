/** Stores what a gateway says about itself, its sensors, its sources and its losses. */
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Database, Transaction } from '../db/pool.ts';
import { configurationFor } from '../gateways/configuration.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import { assertNotRevoked, scopeOf } from '../gateways/credentials.ts';
import { endOlderCredentials, isRotationDue } from '../gateways/rotate.ts';
import { countedIn } from './held-counts.ts';
import { rememberEpochs } from './told-epochs.ts';

/** Processes of one gateway that are remembered; a crash loop makes one each time. */
const instances_kept = 16;

/**
 * Replaces the gateway's last report, and tells it what HQ has of its buffer.
 *
 * @param now_ms HQ's clock, ms since the epoch.
 * @throws credential_refused
 */
export async function storeHeartbeat(
  db: Database,
  gateway: GatewayIdentity,
  heartbeat: Heartbeat,
  now_ms: number,
): Promise<HeartbeatAnswer> {
  return db.inTenant(scopeOf(gateway), 'app_ingest', async (tx) => {
    await assertNotRevoked(tx, gateway);
    await endOlderCredentials(tx, gateway);
    await noteInstance(tx, gateway, heartbeat);
    await storeState(tx, gateway, heartbeat, now_ms);
    await storeSensors(tx, gateway, heartbeat);
    await storeLosses(tx, gateway, heartbeat);
    const remembered = await memoryOf(tx, gateway, heartbeat);
    const rotate = await isRotationDue(tx, gateway);
    const configuration = await configurationFor(tx, gateway, heartbeat.configuration);
    const wanted = configuration === undefined ? {} : { configuration };
    return { server_time: now_ms, ...remembered, rotate, ...wanted };
  });
}

/** What HQ has of the gateway's log, and of the intervals that wait for it. */
async function memoryOf(
  tx: Transaction,
  gateway: GatewayIdentity,
  { epochs, held, heard_at }: Heartbeat,
): Promise<Partial<HeartbeatAnswer>> {
  const known = epochs === undefined ? {} : { epochs: await rememberEpochs(tx, gateway, epochs) };
  const counted = await countedIn(tx, gateway, { held, heard_at });
  if (heard_at !== undefined) return { ...known, counted };
  const [now] = await tx.query<{ heard_at: number }>(
    'select floor(extract(epoch from now()) * 1000)::bigint as heard_at',
    [],
  );
  return { ...known, counted, ...now };
}

/**
 * A process that speaks again after a younger one has spoken is not its predecessor: two machines
 * share one credential. What each of them counted stands apart by sensor and time, or is refused as
 * a conflict, but nobody knows which of them stands in the store.
 */
async function noteInstance(
  { query }: Transaction,
  { organization_id, gateway_id }: GatewayIdentity,
  { instance, sent_at }: Heartbeat,
): Promise<void> {
  if (instance === undefined) return;
  await query(
    `update app.gateway_state set
       cloned_at = case when $3::uuid = any (instances) then now() else cloned_at end,
       instances = (array_append(array_remove(instances, $3::uuid), $3::uuid))[
         greatest(1, cardinality(array_remove(instances, $3::uuid)) + 2 - ${instances_kept}):]
     where organization_id = $1 and gateway_id = $2
       and instances[cardinality(instances)] is distinct from $3::uuid
       -- One that was long on its way is no sign of life.
       and sent_at < to_timestamp($4::float8 / 1000)`,
    [organization_id, gateway_id, instance, sent_at],
  );
}

async function storeState(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  heartbeat: Heartbeat,
  now_ms: number,
): Promise<void> {
  await query(
    `insert into app.gateway_state as t (organization_id, gateway_id, store_id, heartbeat_at, sent_at,
       delivered_at, version, epoch, buffered, oldest_unsent_at, durability, sources,
       disk_free_bytes, disk_total_bytes, certificates, configuration_version, configuration_refused,
       settled_sequence)
     values ($1, $2, $3, to_timestamp($4::float8 / 1000), to_timestamp($5::float8 / 1000),
       to_timestamp($6::float8 / 1000), $7, $8, $9, to_timestamp($10::float8 / 1000), $11, $12, $13, $14, $15,
       $16, $17, $18)
     on conflict (organization_id, gateway_id) do update set
       heartbeat_at = excluded.heartbeat_at, sent_at = excluded.sent_at,
       delivered_at = excluded.delivered_at, version = excluded.version, epoch = excluded.epoch,
       buffered = excluded.buffered, oldest_unsent_at = excluded.oldest_unsent_at,
       durability = excluded.durability, sources = excluded.sources,
       disk_free_bytes = excluded.disk_free_bytes, disk_total_bytes = excluded.disk_total_bytes,
       certificates = excluded.certificates,
       configuration_version = excluded.configuration_version,
       configuration_refused = excluded.configuration_refused,
       settled_sequence = excluded.settled_sequence,
       stalled_since = case when excluded.buffered > 0 and excluded.epoch = t.epoch
           and excluded.settled_sequence = t.settled_sequence
         then coalesce(t.stalled_since, excluded.heartbeat_at) end`,
    [
      organization_id,
      gateway_id,
      store_id,
      now_ms,
      heartbeat.sent_at,
      heartbeat.delivered_at,
      heartbeat.version,
      heartbeat.epoch,
      heartbeat.buffered,
      heartbeat.oldest_unsent_at,
      heartbeat.durability,
      JSON.stringify(heartbeat.sources),
      heartbeat.disk?.free_bytes ?? null,
      heartbeat.disk?.total_bytes ?? null,
      JSON.stringify(heartbeat.certificates ?? []),
      heartbeat.configuration?.version ?? null,
      json(heartbeat.configuration?.refused),
      heartbeat.settled_sequence ?? null,
    ],
  );
  await query(
    `update app.gateways set version = $3
     where organization_id = $1 and id = $2 and version <> $3`,
    [organization_id, gateway_id, heartbeat.version],
  );
}

/** SQL's null, not JSON's. */
function json(value: object | null | undefined): string | null {
  return value === null || value === undefined ? null : JSON.stringify(value);
}

async function storeSensors(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  { sensors }: Heartbeat,
): Promise<void> {
  const once = [...new Map(sensors.map((sensor) => [sensor.sensor_id, sensor])).values()];
  await query(
    `insert into public.sensor_metadata as m (organization_id, store_id, sensor_id, sensor_type,
       name, gateway_id, profile, last_seen_at, silent_after_s, battery_pct, faults, offline_since)
     select $1, $2, sensor_id, kind, name, $3, profile, to_timestamp(seen_ms / 1000), silent_after_s,
       battery_pct, faults, to_timestamp(offline_ms / 1000)
     from unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::int[],
         $10::real[], $11::jsonb[], $12::float8[])
       as s (sensor_id, kind, name, profile, seen_ms, silent_after_s, battery_pct, faults, offline_ms)
     order by sensor_id
     on conflict (organization_id, store_id, sensor_id) do update set
       name = excluded.name, gateway_id = excluded.gateway_id, profile = excluded.profile,
       last_seen_at = coalesce(excluded.last_seen_at, m.last_seen_at),
       silent_after_s = excluded.silent_after_s, offline_since = excluded.offline_since,
       counting_until = null, updated_at = now(),
       -- A gateway that has just started has not heard them yet; another device says its own.
       battery_pct = case when m.profile is distinct from excluded.profile then excluded.battery_pct
         else coalesce(excluded.battery_pct, m.battery_pct) end,
       faults = case when m.profile is distinct from excluded.profile then excluded.faults
         else coalesce(m.faults || excluded.faults, excluded.faults, m.faults) end`,
    [
      organization_id,
      store_id,
      gateway_id,
      once.map((sensor) => sensor.sensor_id),
      once.map((sensor) => sensor.kind),
      once.map((sensor) => sensor.name),
      once.map((sensor) => sensor.profile),
      once.map((sensor) => sensor.last_seen_at),
      once.map((sensor) => sensor.silent_after_s),
      once.map((sensor) => sensor.battery_pct ?? null),
      once.map(({ faults }) => (faults === undefined ? null : JSON.stringify(faults))),
      once.map((sensor) => sensor.offline_since ?? null),
    ],
  );
  // A sensor that the gateway no longer names was unpaired: nobody waits for it any more.
  await query(
    `update public.sensor_metadata set silent_after_s = null, counting_until = now(), updated_at = now()
     where organization_id = $1 and store_id = $2 and gateway_id = $3
       and silent_after_s is not null and sensor_id <> all ($4)`,
    [organization_id, store_id, gateway_id, once.map((sensor) => sensor.sensor_id)],
  );
}

/** Totals only grow: one that is lower is that of an older image of the disk, and told no news. */
async function storeLosses(
  { query }: Transaction,
  { organization_id, gateway_id, store_id }: GatewayIdentity,
  { quarantined, epoch }: Heartbeat,
): Promise<void> {
  const totals = new Map<string, Required<Heartbeat['quarantined'][number]>>();
  for (const told of quarantined) {
    const total = { ...told, epoch: told.epoch ?? epoch };
    const key = JSON.stringify([total.epoch, total.source, total.reason]);
    totals.set(key, { ...total, count: total.count + (totals.get(key)?.count ?? 0) });
  }
  const rows = [...totals.values()];
  await query(
    `insert into app.gateway_losses as l
       (organization_id, gateway_id, store_id, epoch, source, reason, count)
     select $1, $2, $3, epoch, source, reason, count
     from unnest($4::uuid[], $5::text[], $6::text[], $7::bigint[]) as s (epoch, source, reason, count)
     order by epoch, source, reason
     on conflict (organization_id, gateway_id, epoch, source, reason) do update set
       count = greatest(l.count, excluded.count), updated_at = now()
     where l.count < excluded.count`,
    [
      organization_id,
      gateway_id,
      store_id,
      rows.map((total) => total.epoch),
      rows.map(({ source }) => source),
      rows.map(({ reason }) => reason),
      rows.map(({ count }) => count),
    ],
  );
}
