/** What people do about alerts: take one on, ask not to be told. As the person, under row security. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database, Query } from '../db/pool.ts';
import { sqlState } from '../db/pool.ts';
import type { Person } from '../reports/hours.ts';

/** Says that somebody has taken an alert on. @throws alert_unknown, role_insufficient, already_exists */
export async function acknowledgeAlert(
  db: Database,
  person: Person,
  alert: { id: string; note: string },
): Promise<{ title: string }> {
  return asPerson(db, person, async (query) => {
    const [found] = await query<{ store_id: string | null; title: string }>(
      'select store_id, title from public.alerts where organization_id = $1 and id::text = $2',
      [person.organization_id, alert.id],
    );
    if (found === undefined) throw new FootbridgeError('alert_unknown', `"${alert.id}"`);
    if (found.store_id === null) {
      throw new FootbridgeError('value_invalid', `"${found.title}" ends when its cause is gone`);
    }
    const written = await query(
      `insert into public.alert_acknowledgements (organization_id, alert_id, store_id, note)
       values ($1, $2, $3, $4) on conflict do nothing returning 1`,
      [person.organization_id, alert.id, found.store_id, alert.note],
    );
    if (written.length === 0) throw new FootbridgeError('already_exists', 'it is acknowledged');
    return { title: found.title };
  });
}

export interface Mute {
  readonly store: string;
  /** All of the store where absent. */
  readonly alert_type?: string | undefined;
  readonly until: Date;
  readonly reason: string;
}

/** Until then nobody is told of such alerts; they are raised and shown. @throws store_unknown, role_insufficient */
export async function muteAlerts(db: Database, person: Person, mute: Mute): Promise<void> {
  await asPerson(db, person, async (query) => {
    await query(
      `insert into public.alert_mutes (organization_id, store_id, alert_type, until, reason)
       values ($1, $2, $3, $4, $5)`,
      [
        person.organization_id,
        await visibleStore(query, person, mute.store),
        mute.alert_type ?? null,
        mute.until,
        mute.reason,
      ],
    );
  });
}

/** @returns how many mutes of the store ended. @throws store_unknown */
export async function unmuteAlerts(db: Database, person: Person, store: string): Promise<number> {
  return asPerson(db, person, async (query) => {
    const ended = await query(
      `delete from public.alert_mutes
       where organization_id = $1 and store_id = $2 and until > now() returning 1`,
      [person.organization_id, await visibleStore(query, person, store)],
    );
    return ended.length;
  });
}

async function visibleStore(query: Query, person: Person, code: string): Promise<string> {
  const [store] = await query<{ id: string }>(
    'select id from public.stores where organization_id = $1 and code = $2',
    [person.organization_id, code],
  );
  if (store === undefined) throw new FootbridgeError('store_unknown', `"${code}"`);
  return store.id;
}

async function asPerson<T>(
  db: Database,
  { user_id, organization_id }: Person,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  try {
    const claims = { sub: user_id, organization_id };
    return await db.inTenant({ claims }, 'authenticated', ({ query }) => work(query));
  } catch (error) {
    // A policy refused the new row: the person sees the store, so it is the role.
    if (sqlState(error) !== '42501') throw error;
    throw new FootbridgeError('role_insufficient', undefined, { cause: error });
  }
}
