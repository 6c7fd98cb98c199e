/** Stores the evidence of a walk test or an audit that a gateway sends. */
import type { CommissioningAnswer, CommissioningRecord } from '../../shared/wire/commissioning.ts';
import type { Database } from '../db/pool.ts';
import type { GatewayIdentity } from '../gateways/credentials.ts';
import { assertNotRevoked, scopeOf } from '../gateways/credentials.ts';

/**
 * Stores a record once, however often it is sent; the first one stands.
 *
 * @throws credential_refused
 */
export async function storeCommissioning(
  db: Database,
  gateway: GatewayIdentity,
  record: CommissioningRecord,
): Promise<CommissioningAnswer> {
  const { organization_id, store_id, gateway_id } = gateway;
  const stored = await db.inTenant(scopeOf(gateway), 'app_ingest', async (tx) => {
    await assertNotRevoked(tx, gateway);
    return tx.query(
      `insert into public.commissioning_records (organization_id, record_id, store_id, gateway_id,
         kind, sensor_id, who, profile, direction, started_at, ended_at, expected_in, expected_out,
         counted_in, counted_out, verdict)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, to_timestamp($10::float8 / 1000),
         to_timestamp($11::float8 / 1000), $12, $13, $14, $15, $16)
       on conflict (organization_id, record_id) do nothing
       returning record_id`,
      [
        organization_id,
        record.record_id,
        store_id,
        gateway_id,
        record.kind,
        record.sensor_id,
        record.who,
        record.profile,
        record.direction,
        record.started_at,
        record.ended_at,
        record.expected_in,
        record.expected_out,
        record.counted_in,
        record.counted_out,
        record.verdict,
      ],
    );
  });
  return { record_id: record.record_id, stored: stored.length === 0 ? 'known' : 'new' };
}
