/** Episodes of alerts in the database: what is open, and what becomes of it. */
import type { Transaction } from '../db/pool.ts';
import type { EpisodeState } from './alert-states.ts';
import type { Finding } from './alert-types.ts';
import { alertKinds, dedupKey } from './alert-types.ts';
import { ms } from './observe-fleet.ts';

/** What has begun and is not over, by dedup_key. */
export async function openEpisodes(
  { query }: Transaction,
  organization_id: string,
): Promise<Map<string, EpisodeState>> {
  const rows = await query<EpisodeState & { dedup_key: string }>(
    `select dedup_key, state, ${ms('coalesce(recovering_since, created_at)')} as since
     from public.alerts where organization_id = $1 and not is_resolved
     union all
     select dedup_key, 'pending', ${ms('since')} from app.alert_pending p
     where organization_id = $1 and not exists (select from public.alerts a
       where a.organization_id = $1 and a.dedup_key = p.dedup_key and not a.is_resolved)`,
    [organization_id],
  );
  return new Map(rows.map(({ dedup_key, state, since }) => [dedup_key, { state, since }]));
}

/** Stores one step of an episode. @param finding present where the step begins an alert. */
export async function storeStep(
  tx: Transaction,
  organization_id: string,
  dedup_key: string,
  step: {
    before: EpisodeState | null;
    after: EpisodeState | null;
    finding: Finding | undefined;
    now: number;
  },
): Promise<void> {
  const { before, after, finding, now } = step;
  const { query } = tx;
  if (before?.state === 'pending') {
    await query('delete from app.alert_pending where organization_id = $1 and dedup_key = $2', [
      organization_id,
      dedup_key,
    ]);
  }
  if (after?.state === 'pending') {
    await query(
      `insert into app.alert_pending (organization_id, dedup_key, since)
       values ($1, $2, to_timestamp($3::float8 / 1000)) on conflict do nothing`,
      [organization_id, dedup_key, now],
    );
  } else if (before === null || before.state === 'pending') {
    if (finding !== undefined && after !== null) {
      await raise(tx, organization_id, finding, { since: before?.since ?? now, now });
    }
  } else {
    await query(
      `update public.alerts set state = $3, is_resolved = $3 = 'resolved',
         recovering_since = case when $3 = 'recovering' then to_timestamp($4::float8 / 1000)
           when $3 = 'resolved' then recovering_since end,
         resolved_at = case when $3 = 'resolved' then to_timestamp($4::float8 / 1000) end
       where organization_id = $1 and dedup_key = $2 and not is_resolved`,
      [organization_id, dedup_key, after?.state ?? 'resolved', now],
    );
  }
}

/** Several HQ processes decide the same; the index on open alerts lets one of them write it. */
async function raise(
  { query }: Transaction,
  organization_id: string,
  finding: Finding,
  { since, now }: { since: number; now: number },
): Promise<void> {
  await query(
    `insert into public.alerts (organization_id, store_id, alert_type, severity, title,
       description, metadata, dedup_key, created_at, fired_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9::float8 / 1000),
       to_timestamp($10::float8 / 1000))
     on conflict (organization_id, dedup_key) where not is_resolved do nothing`,
    [
      organization_id,
      finding.store_id,
      finding.alert_type,
      alertKinds[finding.alert_type].severity,
      finding.title.slice(0, 255),
      finding.description,
      JSON.stringify(finding.metadata),
      dedupKey(finding),
      since,
      now,
    ],
  );
}
