/** Exchanges a single-use token for a gateway's identity. */

import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { EnrollAnswer, EnrollRequest } from '../../shared/wire/enroll.ts';
import type { Database, Transaction } from '../db/pool.ts';
import { sha256 } from './credentials.ts';

interface Token {
  organization_id: string;
  store_id: string;
  token_id: string;
}

/**
 * Enrols the gateway. The same token with the same hash gives the same gateway again, so a lost
 * answer costs nothing.
 *
 * @throws token_unknown, token_used, token_expired, token_of_another_store
 */
export async function enrollGateway(
  db: Database,
  request: EnrollRequest,
  now_ms: number,
): Promise<EnrollAnswer> {
  const [token] = await db.inTenant({}, 'app_enroll', ({ query }) =>
    query<Token>('select * from app.find_token($1)', [sha256(request.token)]),
  );
  if (token === undefined) throw new FootbridgeError('token_unknown');
  const { organization_id, store_id } = token;
  return db.inTenant({ organization_id, store_id }, 'app_enroll', async (tx) => {
    const identity = await redeem(tx, token, request, now_ms);
    const [place] = await tx.query<Pick<EnrollAnswer, 'organization' | 'store' | 'timezone'>>(
      `select o.slug as organization, s.code as store, s.timezone
       from public.stores s join public.organizations o on o.id = s.organization_id
       where s.organization_id = $1 and s.id = $2`,
      [organization_id, store_id],
    );
    if (place === undefined) throw new Error('the token names a store that is not visible');
    return { ...identity, ...place };
  });
}

async function redeem(
  tx: Transaction,
  { organization_id, store_id, token_id }: Token,
  request: EnrollRequest,
  now_ms: number,
): Promise<Pick<EnrollAnswer, 'gateway_id' | 'credential_id'>> {
  const secret_hash = Buffer.from(request.secret_hash, 'hex');
  // Two gateways with one token at the same moment: the second waits here and finds it used.
  const [state] = await tx.query<{
    expires_at: Date;
    gateway_id: string | null;
    credential_id: string | null;
  }>(
    `select expires_at, gateway_id, credential_id from app.enroll_tokens
     where organization_id = $1 and id = $2 for update`,
    [organization_id, token_id],
  );
  if (state === undefined) throw new FootbridgeError('token_unknown');
  if (state.gateway_id !== null && state.credential_id !== null) {
    const [credential] = await tx.query<{ secret_hash: Buffer }>(
      'select secret_hash from app.gateway_credentials where organization_id = $1 and id = $2',
      [organization_id, state.credential_id],
    );
    if (credential?.secret_hash.equals(secret_hash) !== true) {
      throw new FootbridgeError('token_used');
    }
    return { gateway_id: state.gateway_id, credential_id: state.credential_id };
  }
  if (state.expires_at.getTime() <= now_ms) {
    throw new FootbridgeError('token_expired', `expired at ${state.expires_at.toISOString()}`);
  }

  if (request.instead_of !== undefined) await assertOfThisStore(tx, request.instead_of);
  const [gateway] = await tx.query<{ id: string }>(
    `insert into app.gateways (organization_id, store_id, name, version)
     values ($1, $2, $3, $4) returning id`,
    [organization_id, store_id, request.name, request.version],
  );
  const [credential] = await tx.query<{ id: string }>(
    `insert into app.gateway_credentials (organization_id, gateway_id, secret_hash)
     values ($1, $2, $3) returning id`,
    [organization_id, gateway?.id, secret_hash],
  );
  if (gateway === undefined || credential === undefined) throw new Error('nothing was inserted');
  await tx.query(
    `update app.enroll_tokens set used_at = now(), gateway_id = $3, credential_id = $4
     where organization_id = $1 and id = $2`,
    [organization_id, token_id, gateway.id, credential.id],
  );
  return { gateway_id: gateway.id, credential_id: credential.id };
}

/** The token stays good: its gateway may still be enrolled where it belongs. */
async function assertOfThisStore(tx: Transaction, gateway_id: string): Promise<void> {
  // Row security shows gateways of the token's store, and no others.
  const seen = await tx.query('select from app.gateways where id = $1', [gateway_id]);
  if (seen.length === 0) throw new FootbridgeError('token_of_another_store');
}
