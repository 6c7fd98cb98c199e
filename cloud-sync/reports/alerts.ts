/** Alerts of the stores that the person asking may see. */
import type { Database } from '../db/pool.ts';
import type { Person } from './hours.ts';

export interface AlertRow {
  id: string;
  alert_type: string;
  severity: string;
  /** Code of the store, or null for an alert of the whole organization. */
  store: string | null;
  title: string;
  description: string | null;
  state: 'firing' | 'recovering' | 'resolved';
  is_resolved: boolean;
  created_at: Date;
  resolved_at: Date | null;
  acknowledged_at: Date | null;
  /** Address of who has taken it on. */
  acknowledged_by: string | null;
  note: string | null;
  /** When people are told of it again; null where it is not muted. */
  muted_until: Date | null;
}

/** Newest first. */
const alerts_shown_max = 200;

export async function alertsOf(
  db: Database,
  person: Person,
  only_open: boolean,
): Promise<AlertRow[]> {
  const { organization_id } = person;
  const claims = { sub: person.user_id, organization_id };
  return db.inTenant({ claims }, 'authenticated', ({ query }) =>
    query<AlertRow>(
      `select a.id, a.alert_type, a.severity, s.code as store, a.title, a.description, a.state,
         a.is_resolved, a.created_at, a.resolved_at, k.acknowledged_at,
         k.acknowledged_by, k.note,
         (select max(m.until) from public.alert_mutes m
           where m.organization_id = a.organization_id and m.store_id = a.store_id
             and (m.alert_type is null or m.alert_type = a.alert_type)
             and m.until > now() and not a.is_resolved) as muted_until
       from public.alerts a
       left join public.stores s on s.organization_id = a.organization_id and s.id = a.store_id
       left join public.alert_acknowledgements k
         on k.organization_id = a.organization_id and k.alert_id = a.id
       where a.organization_id = $1 and not (a.is_resolved and $2)
       order by a.created_at desc limit ${alerts_shown_max}`,
      [organization_id, only_open],
    ),
  );
}
