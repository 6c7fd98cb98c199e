/** Proves which gateway is asking, from `Authorization: Bearer fbg_<credential_id>_<secret>`. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database, Scope, Transaction } from '../db/pool.ts';

/** Everything HQ takes from a credential, so that no body can claim it. */
export interface GatewayIdentity {
  readonly organization_id: string;
  readonly store_id: string;
  readonly gateway_id: string;
  readonly credential_id: string;
}

const credential = /^Bearer fbg_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([\w-]{16,200})$/;

/** How long a credential that was found is remembered. */
const remembered_ms = 60_000;
const remembered_max = 20_000;

interface Found extends Omit<GatewayIdentity, 'credential_id'> {
  readonly secret_hash: Buffer;
  readonly revoked: boolean;
}

/**
 * Finds credentials, and remembers them for a minute: a gateway's small requests are mostly look-ups.
 * What writes asks for the credential again inside its transaction, so a revoked one stores nothing.
 */
export class Authenticator {
  readonly #db: Database;
  readonly #monotonic: () => number;
  readonly #known = new Map<string, { found: Found; until: number }>();
  /** The question after the one that is under way, and who is in it. */
  #next: { ids: Set<string>; answered: Promise<Map<string, Found>> } | undefined;
  #asked: Promise<unknown> = Promise.resolve();

  constructor(db: Database, monotonic: () => number) {
    this.#db = db;
    this.#monotonic = monotonic;
  }

  /** @throws credential_missing, credential_refused */
  async authenticate(authorization: string | undefined): Promise<GatewayIdentity> {
    if (authorization === undefined) throw new FootbridgeError('credential_missing');
    const [, credential_id, secret] = credential.exec(authorization) ?? [];
    if (credential_id === undefined || secret === undefined) {
      throw new FootbridgeError('credential_missing', 'the header has another form');
    }
    const found = await this.#find(credential_id);
    // An unknown id is compared as well, so that the answer's time does not tell ids apart.
    const known = timingSafeEqual(sha256(secret), found?.secret_hash ?? sha256(''));
    if (found === undefined || !known || found.revoked) {
      throw new FootbridgeError('credential_refused');
    }
    const { organization_id, store_id, gateway_id } = found;
    return { organization_id, store_id, gateway_id, credential_id };
  }

  async #find(credential_id: string): Promise<Found | undefined> {
    const known = this.#known.get(credential_id);
    if (known !== undefined && known.until > this.#monotonic()) return known.found;
    const found = (await this.#lookUp(credential_id)).get(credential_id);
    this.#known.delete(credential_id);
    if (found !== undefined && !found.revoked) {
      const [oldest] = this.#known.keys();
      if (oldest !== undefined && this.#known.size >= remembered_max) this.#known.delete(oldest);
      this.#known.set(credential_id, { found, until: this.#monotonic() + remembered_ms });
    }
    return found;
  }

  /**
   * One connection, however many ask: who comes while a question is under way is in the next one. So no
   * gateway queues behind strangers who make ids up.
   */
  #lookUp(credential_id: string): Promise<Map<string, Found>> {
    if (this.#next === undefined) {
      const ids = new Set<string>();
      const answered = this.#asked.then(() => {
        this.#next = undefined;
        return this.#ask([...ids]);
      });
      this.#next = { ids, answered };
      this.#asked = answered.catch(() => {});
    }
    this.#next.ids.add(credential_id);
    return this.#next.answered;
  }

  async #ask(ids: string[]): Promise<Map<string, Found>> {
    const rows = await this.#db.inTenant({}, 'app_ingest', ({ query }) =>
      query<Found & { credential_id: string }>(
        `select asked.credential_id, found.*
         from unnest($1::uuid[]) as asked(credential_id), app.find_credential(asked.credential_id) as found`,
        [ids],
      ),
    );
    return new Map(rows.map(({ credential_id, ...found }) => [credential_id, found]));
  }
}

/** The tenant that a gateway's requests work as. */
export function scopeOf(gateway: GatewayIdentity): Scope {
  const { organization_id, store_id, gateway_id } = gateway;
  return { organization_id, store_id, gateway_id };
}

/**
 * Asks again inside the transaction that writes: between the header and the end of a body lie
 * seconds on a slow line, time enough to revoke a key.
 *
 * @throws credential_refused
 */
export async function assertNotRevoked(tx: Transaction, gateway: GatewayIdentity): Promise<void> {
  const live = await tx.query(
    `select from app.gateway_credentials c
     join app.gateways g on g.organization_id = c.organization_id and g.id = c.gateway_id
     where c.organization_id = $1 and c.id = $2 and c.revoked_at is null and g.revoked_at is null`,
    [gateway.organization_id, gateway.credential_id],
  );
  if (live.length === 0) throw new FootbridgeError('credential_refused');
}

export function sha256(text: string | Buffer): Buffer {
  return createHash('sha256').update(text).digest();
}
