/**
 * Days from hours: totals by local date, estimates for their gaps, and occupancy, which runs from one
 * reset to the next. Claimed and recomputed as hours are.
 */
import type { Database, Transaction } from '../db/pool.ts';
import { estimateGaps } from './estimate-gaps.ts';

/** Days of one claim. */
export const days_claim_max = 100;

interface DirtyDay {
  store_id: string;
  date: string;
}

/** Organizations that have days to fold. */
export async function organizationsWithDirtyDays(db: Database): Promise<string[]> {
  const rows = await db.inTenant({}, 'app_rollup', ({ query }) =>
    query<{ id: string }>('select app.dirty_day_organization_ids() as id'),
  );
  return rows.map(({ id }) => id);
}

/**
 * Claims dirty days of one organization and folds them. Several workers may do so at once.
 *
 * @param now_ms HQ's clock: a gap is one once its hour is over, and occupancy is corrected for drift
 *   once its day is.
 * @returns how many days were folded; 0 when none is left or others have them.
 */
export async function foldDays(
  db: Database,
  organization_id: string,
  now_ms: number,
): Promise<number> {
  return db.inTenant({ organization_id }, 'app_rollup', async (tx) => {
    const days = await claim(tx, organization_id);
    if (days.length === 0) return 0;
    const stores = days.map((d) => d.store_id);
    const dates = days.map((d) => d.date);
    const values = [organization_id, stores, dates];
    // Statements of their own, after the claim: their snapshots must be younger than its locks.
    await tx.query(occupancy, [...values, now_ms]);
    await estimateGaps(tx, organization_id, { stores, dates }, now_ms);
    await tx.query(totals, values);
    return days.length;
  });
}

function claim({ query }: Transaction, organization_id: string): Promise<DirtyDay[]> {
  return query<DirtyDay>(
    `with claimed as materialized (
       select store_id, date from app.rollup_dirty_days
       where organization_id = $1 order by store_id, date limit ${days_claim_max}
       for update skip locked
     )
     delete from app.rollup_dirty_days d using claimed c
     where d.organization_id = $1 and d.store_id = c.store_id and d.date = c.date
     returning d.store_id, d.date::text`,
    [organization_id],
  );
}

const days_of_marks = `day as materialized (
  select d.store_id, d.date, s.timezone, s.occupancy_reset_hour
  from unnest($2::uuid[], $3::date[]) as d (store_id, date)
  join public.stores s on s.organization_id = $1 and s.id = d.store_id
)`;

/** Once a business day is over, what `app.occupancy` says of it is corrected for drift. */
const occupancy = `with ${days_of_marks}, level as materialized (
  select * from app.occupancy(array(
    select (h.store_id, h.business_date, h.start_time, h.in_quarters, h.out_quarters,
      ((d.date + 1 + make_interval(hours => d.occupancy_reset_hour)) at time zone d.timezone)
        <= to_timestamp($4::float8 / 1000))::app.counted_hour
    from day d join public.store_hourly h on h.organization_id = $1 and h.store_id = d.store_id
      and h.business_date = d.date))
)
update public.store_hourly h set net_occupancy = l.net, peak_occupancy = l.peak
from level l
where h.organization_id = $1 and h.store_id = l.store_id and h.start_time = l.start_time
  and (h.net_occupancy, h.peak_occupancy) is distinct from (l.net::bigint, l.peak::bigint)`;

const totals = `with ${days_of_marks}, fresh as materialized (
  select d.store_id, d.date, sum(h.footfall) as footfall, sum(h.staff_in) as staff_in,
    sum(h.estimated_in) as estimated_in,
    bool_and(h.status in ('complete', 'estimated', 'closed')) as estimated,
    sum(h.total_in) as total_in,
    sum(h.total_out) as total_out, sum(h.out_of_hours_in) as out_of_hours_in,
    sum(h.mall_traffic) as mall_traffic, count(*) as hours, sum(h.trading_s) as trading_s,
    (array_agg(h.local_hour order by h.footfall desc, h.start_time))[1] as peak_hour,
    max(h.footfall) as peak_footfall,
    sum(round(h.coverage::numeric, 4) * h.trading_s) / nullif(sum(h.trading_s), 0) as coverage
  from day d join public.store_hourly h on h.organization_id = $1 and h.store_id = d.store_id
    and h.local_date = d.date
  group by d.store_id, d.date
), peak as (
  select d.store_id, d.date, max(h.peak_occupancy) as peak_occupancy
  from day d join public.store_hourly h on h.organization_id = $1 and h.store_id = d.store_id
    and h.business_date = d.date
  group by d.store_id, d.date
), visit as (
  select d.store_id, d.date, round(sum(z.dwell_time * z.stays) / nullif(sum(z.stays), 0), 2) as dwell,
    round(100.0 * sum(z.short_stays) filter (where r.type = 'store_visits')
      / nullif(sum(z.stays) filter (where r.type = 'store_visits'), 0), 2) as bounce
  from day d
  join public.region_configurations r on r.organization_id = $1 and r.store_id = d.store_id
    and r.is_active and r.type in ('store', 'store_visits')
  join public.zone_hourly z on z.organization_id = $1 and z.store_id = d.store_id
    and z.local_date = d.date and z.sensor_id = r.sensor_id and z.region_id = r.region_id
  group by d.store_id, d.date
), gone as (
  delete from public.daily_analytics o using day d
  where o.organization_id = $1 and o.store_id = d.store_id and o.date = d.date
    and not exists (select from fresh f where f.store_id = o.store_id and f.date = o.date)
)
insert into public.daily_analytics as o (organization_id, store_id, date, total_footfall, peak_hour,
  peak_hour_footfall, staff_in, estimated_in, total_in, total_out, out_of_hours_in, mall_traffic, capture_rate,
  peak_occupancy, avg_dwell_time, bounce_rate, hours_in_day, trading_s, coverage, status)
select $1, f.store_id, f.date, f.footfall, case when f.peak_footfall > 0 then f.peak_hour end,
  f.peak_footfall, f.staff_in, f.estimated_in, f.total_in, f.total_out, f.out_of_hours_in, f.mall_traffic,
  round(100.0 * f.footfall / nullif(f.mall_traffic, 0), 2), p.peak_occupancy, v.dwell, v.bounce,
  f.hours, f.trading_s,
  f.coverage::real,
  case when f.trading_s = 0 then 'closed' when f.coverage >= 0.99 then 'complete'
    when f.estimated then 'estimated' when coalesce(f.coverage, 0) = 0 then 'missing'
    else 'partial' end
from fresh f left join peak p on p.store_id = f.store_id and p.date = f.date
left join visit v on v.store_id = f.store_id and v.date = f.date
order by f.store_id, f.date
on conflict (organization_id, store_id, date) do update set
  total_footfall = excluded.total_footfall, peak_hour = excluded.peak_hour,
  peak_hour_footfall = excluded.peak_hour_footfall, staff_in = excluded.staff_in,
  estimated_in = excluded.estimated_in,
  total_in = excluded.total_in,
  total_out = excluded.total_out, out_of_hours_in = excluded.out_of_hours_in,
  mall_traffic = excluded.mall_traffic, capture_rate = excluded.capture_rate,
  peak_occupancy = excluded.peak_occupancy, avg_dwell_time = excluded.avg_dwell_time,
  bounce_rate = excluded.bounce_rate, hours_in_day = excluded.hours_in_day,
  trading_s = excluded.trading_s, coverage = excluded.coverage, status = excluded.status,
  updated_at = now()
where (o.total_footfall, o.peak_hour, o.peak_hour_footfall, o.staff_in, o.estimated_in, o.total_in, o.total_out,
    o.out_of_hours_in, o.mall_traffic, o.peak_occupancy, o.avg_dwell_time, o.bounce_rate, o.hours_in_day, o.trading_s, o.coverage,
    o.status)
  is distinct from (excluded.total_footfall, excluded.peak_hour, excluded.peak_hour_footfall,
    excluded.staff_in, excluded.estimated_in, excluded.total_in, excluded.total_out, excluded.out_of_hours_in, excluded.mall_traffic,
    excluded.peak_occupancy, excluded.avg_dwell_time, excluded.bounce_rate, excluded.hours_in_day, excluded.trading_s, excluded.coverage,
    excluded.status)`;
