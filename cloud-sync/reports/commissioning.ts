/** Which sensors were tested, by whom and how well they counted, of the stores a person may see. */
import type { Database } from '../db/pool.ts';
import type { Person } from './hours.ts';

export interface CommissioningRow {
  store: string;
  sensor_id: string;
  /** untested, tuned (walk test passed), certified (audit passed), expired (a quarter ago). */
  stage: string;
  walk_test_at: Date | null;
  walk_test_verdict: string | null;
  audit_at: Date | null;
  audit_verdict: string | null;
  /** People of the last audit, both ways together. */
  audit_people: number | null;
  /** Of the last audit, 0 to 1; null where nobody walked that way. */
  accuracy_in: number | null;
  accuracy_out: number | null;
  /** Who made the last test or audit. */
  who: string | null;
}

/** Every sensor that HQ knows, tested or not, and what only was tested. */
export async function commissioningOf(
  db: Database,
  person: Person,
  store: string | null,
): Promise<CommissioningRow[]> {
  const { organization_id } = person;
  const claims = { sub: person.user_id, organization_id };
  return db.inTenant({ claims }, 'authenticated', ({ query }) =>
    query<CommissioningRow>(
      `with sensors as (
         select organization_id, store_id, sensor_id from public.sensor_metadata
         where organization_id = $1
         union
         select organization_id, store_id, sensor_id from public.sensor_commissioning
         where organization_id = $1)
       select s.code as store, sensors.sensor_id, coalesce(c.stage, 'untested') as stage,
         c.walk_test_at, c.walk_test_verdict, c.audit_at, c.audit_verdict, c.audit_people,
         c.accuracy_in::float8 as accuracy_in, c.accuracy_out::float8 as accuracy_out,
         (select r.who from public.commissioning_records r
           where r.organization_id = $1 and r.store_id = sensors.store_id
             and r.sensor_id = sensors.sensor_id
           order by r.ended_at desc limit 1) as who
       from sensors
       join public.stores s on s.organization_id = $1 and s.id = sensors.store_id
       left join public.sensor_commissioning c on c.organization_id = $1
         and c.store_id = sensors.store_id and c.sensor_id = sensors.sensor_id
       where $2::text is null or s.code = $2
       order by s.code, sensors.sensor_id`,
      [organization_id, store],
    ),
  );
}
