/** Weeks, months, quarters and years of a store, in its organization's calendar, as the person asking. */
import type { Database } from '../db/pool.ts';
import { askAbout, type Person } from './hours.ts';

export const period_kinds = ['week', 'month', 'quarter', 'year'] as const;
export type PeriodKind = (typeof period_kinds)[number];

export interface StorePeriod {
  year: number;
  number: number;
  first_date: string;
  last_date: string;
  days: number;
  days_expected: number;
  footfall: number;
  /** For doors that were not heard; not part of footfall. */
  estimated_in: number | null;
  coverage: number | null;
  status: string;
  vs_previous_percent: number | null;
  comparable_days: number;
  /** Day by day with the same weekday of the same retail week; a year of 53 weeks is restated. */
  vs_last_year_percent: number | null;
  /** With the period of the same number, as it was. */
  vs_last_year_as_reported_percent: number | null;
  holidays: string[];
}

/** @throws store_unknown */
export function periodsOf(
  db: Database,
  person: Person,
  store_code: string,
  kind: PeriodKind,
): Promise<{ store: string; name: string; timezone: string; periods: StorePeriod[] }> {
  return askAbout(db, person, store_code, async (query, store_id) => ({
    periods: await query<StorePeriod>(
      `select year, number, first_date::text, last_date::text, days, days_expected,
         footfall, estimated_in, coverage::float8, status, vs_previous_percent::float8, comparable_days,
         vs_last_year_percent::float8, vs_last_year_as_reported_percent::float8, holidays
       from public.store_${kind}s
       where organization_id = $1 and store_id = $2 order by year, number`,
      [person.organization_id, store_id],
    ),
  }));
}
