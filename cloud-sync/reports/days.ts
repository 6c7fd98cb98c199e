/** Days of a store and the hours they are made of, as the person asking. */
import type { Database } from '../db/pool.ts';
import { askAbout, type Person, type Window } from './hours.ts';

/** One hour of a store: all its entrances together. */
export interface StoreTotal {
  local_date: string;
  local_hour: number;
  utc_offset_min: number;
  start_time: Date;
  total_in: number;
  total_out: number;
  footfall: number;
  /** For doors that were not heard; not part of footfall. */
  estimated_in: number | null;
  net_occupancy: number | null;
  sensors_heard: number;
  sensors_expected: number;
  coverage: number | null;
  status: string;
  revised_at: Date;
}

export interface StoreDay {
  date: string;
  total_footfall: number;
  estimated_in: number | null;
  out_of_hours_in: number;
  peak_hour: number | null;
  peak_occupancy: number | null;
  capture_rate: number | null;
  hours_in_day: number;
  coverage: number | null;
  status: string;
  vs_last_week_percent: number | null;
  vs_last_year_percent: number | null;
}

type Of<T> = Promise<{ store: string; name: string; timezone: string } & T>;

/** @throws store_unknown */
export function totalsOf(
  db: Database,
  person: Person,
  store_code: string,
  window: Window,
): Of<{ hours: StoreTotal[] }> {
  return askAbout(db, person, store_code, async (query, store_id) => ({
    hours: await query<StoreTotal>(
      `select local_date::text, local_hour, utc_offset_min, start_time, total_in, total_out,
         footfall, estimated_in, net_occupancy, sensors_heard, sensors_expected, coverage, status, revised_at
       from public.store_hourly_live
       where organization_id = $1 and store_id = $2
         and start_time >= coalesce($3::timestamptz, '-infinity')
         and start_time < coalesce($4::timestamptz, 'infinity')
       order by start_time`,
      [person.organization_id, store_id, window.from ?? null, window.to ?? null],
    ),
  }));
}

/** @throws store_unknown */
export function daysOf(db: Database, person: Person, store_code: string): Of<{ days: StoreDay[] }> {
  return askAbout(db, person, store_code, async (query, store_id) => ({
    days: await query<StoreDay>(
      `select d.date::text, d.total_footfall, d.estimated_in, d.out_of_hours_in, d.peak_hour, d.peak_occupancy,
         d.capture_rate::float8, d.hours_in_day, d.coverage, d.status,
         d.vs_last_week_percent::float8, d.vs_last_year_percent::float8
       from public.daily_analytics d
       where d.organization_id = $1 and d.store_id = $2 order by d.date`,
      [person.organization_id, store_id],
    ),
  }));
}
