import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import type { Database } from '../../../cloud-sync/db/pool.ts';
import { ingestBatch } from '../../../cloud-sync/ingest/ingest-batch.ts';
import { toBatch } from '../../../shared/wire/batch.ts';

test('a batch that meets others each time it is tried is for later, not for quarantine', async () => {
  const [organization_id, store_id, gateway_id] = [randomUUID(), randomUUID(), randomUUID()];
  const gateway = { organization_id, store_id, gateway_id, credential_id: randomUUID() };
  const identity = { batch_id: randomUUID(), epoch: randomUUID(), first_sequence: 1 };
  const batch = toBatch({ ...identity, last_sequence: 1 }, []);
  const met = Object.assign(new pg.DatabaseError('duplicate key', 0, 'error'), { code: '23505' });
  const db = { inTenant: () => Promise.reject(met) } as unknown as Database;
  await expect(ingestBatch(db, gateway, batch, Buffer.alloc(32))).rejects.toMatchObject({
    code: 'batch_in_flight',
    detail: batch.batch_id,
  });
});
