/** How an organization counts weeks, months and years. */
import { z } from 'zod';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';

const weekdays = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;

export interface Calendar {
  week_starts: (typeof weekdays)[number];
  /** MM-DD: a year starts on the `week_starts` that is nearest. */
  year_starts: string;
  /** How thirteen weeks make three months; null: months of the wall calendar. */
  weeks: '4-5-4' | '4-4-5' | '5-4-4' | null;
}

/** Calendars by name. NRF: the year ends on the Saturday nearest to 31 January. */
const known: Record<'iso' | '4-5-4', Calendar> = {
  iso: { week_starts: 'monday', year_starts: '01-01', weeks: null },
  '4-5-4': { week_starts: 'sunday', year_starts: '02-01', weeks: '4-5-4' },
};

/** What `calendar set` takes: a name, or the three facts of a custom one. */
export const calendarSchema = z
  .object({
    kind: z.enum(['iso', '4-5-4', 'custom'], { error: 'use iso, 4-5-4 or custom' }),
    weekStarts: z.enum(weekdays, { error: 'use a weekday such as monday' }).optional(),
    yearStarts: z
      .string()
      .regex(/^(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])$/, { error: 'use MM-DD, days 01 to 28' })
      .optional(),
    weeks: z.enum(['4-5-4', '4-4-5', '5-4-4'], { error: 'use 4-5-4, 4-4-5 or 5-4-4' }).optional(),
  })
  .superRefine((wanted, context) => {
    for (const name of ['weekStarts', 'yearStarts', 'weeks'] as const) {
      const missing = wanted.kind === 'custom' && name !== 'weeks' && wanted[name] === undefined;
      const needless = wanted.kind !== 'custom' && wanted[name] !== undefined;
      if (!missing && !needless) continue;
      const message = missing ? 'a custom calendar needs it' : 'only a custom calendar takes it';
      context.addIssue({ code: 'custom', path: [name], message });
    }
  })
  .transform(({ kind, weekStarts, yearStarts, weeks }): Calendar => {
    if (kind !== 'custom') return known[kind];
    return {
      week_starts: weekStarts ?? 'monday',
      year_starts: yearStarts ?? '01-01',
      weeks: weeks ?? null,
    };
  });

/** Nothing is computed anew: periods are put together when they are read. */
export async function setCalendar(
  db: Database,
  organization: Organization,
  calendar: Calendar,
): Promise<void> {
  await db.inTenant({ organization_id: organization.id }, 'app_operator', async ({ query }) => {
    await query('delete from public.calendars where organization_id = $1', [organization.id]);
    await query(
      `insert into public.calendars (organization_id, week_starts, year_starts, weeks)
       values ($1, $2, ('2001-' || $3)::date, $4)`,
      [
        organization.id,
        weekdays.indexOf(calendar.week_starts) + 1,
        calendar.year_starts,
        calendar.weeks,
      ],
    );
  });
}

/** The one that was set, else ISO. */
export async function calendarOf(db: Database, organization: Organization): Promise<Calendar> {
  const [row] = await db.inTenant(
    { organization_id: organization.id },
    'app_operator',
    ({ query }) =>
      query<{ week_starts: number; year_starts: string; weeks: Calendar['weeks'] }>(
        `select week_starts, weeks, to_char(year_starts, 'MM-DD') as year_starts
         from public.calendars where organization_id = $1`,
        [organization.id],
      ),
  );
  return row === undefined
    ? known.iso
    : { ...row, week_starts: weekdays[row.week_starts - 1] ?? 'monday' };
}
