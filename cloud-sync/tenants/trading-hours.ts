/**
 * When a store trades: weekly hours in its own time, days with hours of their own, and whole days on
 * which it does not.
 */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Database } from '../db/pool.ts';
import type { Organization } from './organizations.ts';
import { explainRefusal } from './refusals.ts';
import type { Store } from './stores.ts';

export interface TradingHours {
  /** ISO: 1 is Monday, 7 is Sunday. */
  weekday: number;
  /** HH:MM */
  opens: string;
  closes: string;
}

/**
 * Reads `1-6 10:00-20:30`: weekdays, then one stretch of time.
 *
 * @throws usage
 */
export function parseTradingHours(text: string): TradingHours[] {
  const [, first, last, opens, closes] =
    /^([1-7])(?:-([1-7]))? (\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (first === undefined || opens === undefined || closes === undefined) {
    const detail = `--hours "${text}": use weekdays (1 is Monday) and times, such as "1-6 10:00-20:30"`;
    throw new FootbridgeError('usage', detail);
  }
  const days = Array.from(
    { length: Math.max(0, Number(last ?? first) - Number(first)) + 1 },
    (_, i) => Number(first) + i,
  );
  return days.map((weekday) => ({ weekday, opens, closes }));
}

/**
 * Replaces the weekly hours of a store.
 *
 * @throws value_invalid
 */
export async function setTradingHours(
  db: Database,
  organization: Organization,
  store: Store,
  hours: readonly TradingHours[],
): Promise<void> {
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', async ({ query }) => {
      await query('delete from public.store_hours where organization_id = $1 and store_id = $2', [
        organization.id,
        store.id,
      ]);
      await query(
        `insert into public.store_hours (organization_id, store_id, weekday, opens, closes)
         select $1, $2, * from unnest($3::smallint[], $4::time[], $5::time[])`,
        [
          organization.id,
          store.id,
          hours.map(({ weekday }) => weekday),
          hours.map(({ opens }) => opens),
          hours.map(({ closes }) => closes),
        ],
      );
    });
  } catch (error) {
    throw explainRefusal(error, {
      opens_before_it_closes: [
        'value_invalid',
        '--hours: a store closes after it opens; past midnight is two stretches, until 24:00 and from 00:00',
      ],
      whole_quarter_hours: ['value_invalid', '--hours: use whole quarter hours'],
      store_hours_pkey: [
        'value_invalid',
        '--hours: two stretches of one day open at the same time',
      ],
    });
  }
}

/** @throws value_invalid, already_exists */
export async function addClosure(
  db: Database,
  organization: Organization,
  store: Store,
  closure: { from: string; until: string; reason: string },
): Promise<void> {
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
      query(
        `insert into public.store_closures (organization_id, store_id, first_date, last_date, reason)
         values ($1, $2, $3::date, $4::date, $5)`,
        [organization.id, store.id, closure.from, closure.until, closure.reason],
      ),
    );
  } catch (error) {
    throw explainRefusal(error, {
      store_closures_pkey: ['already_exists', `a closure of "${store.code}" from ${closure.from}`],
      ends_after_it_begins: ['value_invalid', `--until "${closure.until}": not before --from`],
    });
  }
}

/**
 * Notes when somebody works on a store: until then nothing new is raised about it.
 *
 * @param window wall-clock times of the store, `YYYY-MM-DDTHH:MM`.
 * @throws value_invalid
 */
export async function addMaintenance(
  db: Database,
  organization: Organization,
  store: Store,
  window: { from: string; until: string; reason: string },
): Promise<void> {
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', ({ query }) =>
      query(
        `insert into public.maintenance_windows
           (organization_id, store_id, starts_at, ends_at, reason)
         values ($1, $2, $3::timestamp at time zone $5, $4::timestamp at time zone $5, $6)`,
        [organization.id, store.id, window.from, window.until, store.timezone, window.reason],
      ),
    );
  } catch (error) {
    throw explainRefusal(error, {
      ends_after_it_starts: ['value_invalid', `--until "${window.until}": later than --from`],
    });
  }
}

/** Reads `10:00-14:00`. @throws usage */
export function parseHolidayHours(text: string): { opens: string; closes: string } {
  const [, opens, closes] = /^(\d\d:\d\d)-(\d\d:\d\d)$/.exec(text) ?? [];
  if (opens === undefined || closes === undefined) {
    throw new FootbridgeError('usage', `--hours "${text}": use times such as "10:00-14:00"`);
  }
  return { opens, closes };
}

/** Replaces what was said of that day before. @throws value_invalid */
export async function addHoliday(
  db: Database,
  organization: Organization,
  store: Store,
  holiday: { date: string; name: string; hours?: { opens: string; closes: string } | undefined },
): Promise<void> {
  const key = [organization.id, store.id, holiday.date];
  try {
    await db.inTenant({ organization_id: organization.id }, 'app_operator', async ({ query }) => {
      await query(
        'delete from public.store_holidays where organization_id = $1 and store_id = $2 and date = $3',
        key,
      );
      await query(
        `insert into public.store_holidays (organization_id, store_id, date, name, opens, closes)
         values ($1, $2, $3, $4, $5, $6)`,
        [...key, holiday.name, holiday.hours?.opens ?? null, holiday.hours?.closes ?? null],
      );
    });
  } catch (error) {
    throw explainRefusal(error, {
      opens_before_it_closes: ['value_invalid', '--hours: a store closes after it opens'],
      whole_quarter_hours: ['value_invalid', '--hours: use whole quarter hours'],
    });
  }
}
