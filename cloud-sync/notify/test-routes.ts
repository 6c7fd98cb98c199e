/** A message to everybody whom the routes name, on the same way as an alert. */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { Database } from '../db/pool.ts';
import type { Delivery } from './deliver.ts';
import { deliverWaiting } from './deliver.ts';
import { readRecipients } from './planning.ts';

export interface TestResult {
  readonly kind: string;
  readonly recipient: string;
  readonly state: 'waiting' | 'sent' | 'failed';
  readonly detail: string | null;
}

const deadline_ms = 60_000;

/** What is not delivered at the first attempt stays waiting and is tried again by the service. */
export async function testRoutes(on: Delivery, organization_id: string): Promise<TestResult[]> {
  const ids = await makeTests(on.db, organization_id, on.clock);
  const until = on.clock.monotonic() + deadline_ms;
  for (;;) {
    await deliverWaiting(on, organization_id);
    const results = await readTests(on.db, organization_id, ids);
    // A service that runs beside us may have taken some of them.
    const tried = results.every(({ state, detail }) => state !== 'waiting' || detail !== null);
    if (tried || on.clock.monotonic() > until) return results;
    await on.clock.sleep(200);
  }
}

async function makeTests(db: Database, organization_id: string, clock: Clock): Promise<string[]> {
  return db.inTenant({ organization_id }, 'app_notify', async ({ query }) => {
    const recipients = await readRecipients(query, organization_id, clock.now());
    const made = await query<{ id: string }>(
      `insert into public.notifications (organization_id, route_id, kind, recipient, subject, body,
         created_at, next_attempt_at)
       select $1, route_id, kind, recipient, 'Test of Footbridge',
         'This is a test. Alerts of the stores that you may see arrive this way.', t, t
       from to_timestamp($5::float8 / 1000) t, unnest($2::uuid[], $3::text[], $4::text[]) as s (route_id, kind, recipient)
       returning id`,
      [
        organization_id,
        recipients.map(({ route_id }) => route_id),
        recipients.map(({ kind }) => kind),
        recipients.map(({ address }) => address),
        clock.now(),
      ],
    );
    return made.map(({ id }) => id);
  });
}

async function readTests(
  db: Database,
  organization_id: string,
  ids: readonly string[],
): Promise<TestResult[]> {
  return db.inTenant({ organization_id }, 'app_notify', ({ query }) =>
    query<TestResult>(
      `select kind, recipient, state, detail from public.notifications
       where organization_id = $1 and id = any ($2) order by kind, recipient`,
      [organization_id, ids],
    ),
  );
}
