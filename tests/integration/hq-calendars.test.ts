import { afterAll, beforeAll, expect, it } from 'vitest';
import { periodsOf } from '../../cloud-sync/reports/periods.ts';
import { rollUp } from '../../cloud-sync/rollups/roll-up.ts';
import type { Calendar } from '../../cloud-sync/tenants/calendars.ts';
import { calendarOf, calendarSchema, setCalendar } from '../../cloud-sync/tenants/calendars.ts';
import { storeByCode } from '../../cloud-sync/tenants/stores.ts';
import { addHoliday, parseHolidayHours } from '../../cloud-sync/tenants/trading-hours.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { TestStore } from '../support/hq.ts';
import { addTestStore } from '../support/hq.ts';
import type { TestDatabase } from '../support/postgres.ts';
import { describeOnEngines, openTestDatabase } from '../support/postgres.ts';
import { addLine } from '../support/store-traffic.ts';

const nrf = calendarSchema.parse({ kind: '4-5-4' });

describeOnEngines('calendars', (engine) => {
  let hq: TestDatabase;
  beforeAll(async () => {
    hq = await openTestDatabase(engine);
  });
  afterAll(() => hq.close());

  /** A store that traded every day of those years; `people` is an expression of the date `d`. */
  const traded = async (from: string, until: string, people: string, calendar?: Calendar) => {
    const store = await addTestStore(hq);
    if (calendar !== undefined) await setCalendar(hq.db, store.organization, calendar);
    await hq.asOwner(
      `insert into daily_analytics (organization_id, store_id, date, total_footfall, total_in,
         total_out, out_of_hours_in, hours_in_day, trading_s, coverage, status)
       select $1, $2, d, ${people}, 0, 0, 0, 24, 36000, 1, 'complete'
       from generate_series($3::date, $4::date, '1 day') as s (at), lateral (select at::date as d) x`,
      [store.organization.id, store.store_id, from, until],
    );
    return store;
  };
  const personOf = async (store: TestStore) => {
    const { user_id } = await addUser(hq.db, store.organization, {
      email: `${store.code}@acme.example`,
      role: 'store_manager',
      stores: [store.code],
    });
    return { user_id, organization_id: store.organization.id };
  };

  it('are ISO until somebody says otherwise', async () => {
    const store = await traded('1999-12-01', '2039-01-31', '1');
    const wrong = await hq.asOwner(
      `select date from store_days where store_id = $1 and (week_year, week, year, quarter, month)
         is distinct from (extract(isoyear from date), extract(week from date),
           extract(year from date), extract(quarter from date), extract(month from date))`,
      [store.store_id],
    );
    expect(wrong).toEqual([]);
    const [months] = await hq.asOwner(
      `select count(*) as n, count(*) filter (where days = days_expected) as whole
       from store_months where store_id = $1`,
      [store.store_id],
    );
    expect(months).toEqual({ n: 470, whole: 470 });
  });

  it('count as the National Retail Federation publishes, with its years of 53 weeks', async () => {
    const store = await traded('2007-02-04', '2029-02-03', '1', nrf);
    const years = await hq.asOwner<{ year: number; first: string; last: string; days: number }>(
      `select year, first_date::text as first, last_date::text as last, days from store_years
       where store_id = $1 and status = 'complete' order by year`,
      [store.store_id],
    );
    expect(years.filter(({ days }) => days === 371).map(({ year }) => year)).toEqual([
      2012, 2017, 2023, 2028,
    ]);
    expect(years).toHaveLength(22);
    const fact = (year: number) => years.find((one) => one.year === year);
    expect(fact(2023)).toMatchObject({ first: '2023-01-29', last: '2024-02-03' });
    expect(fact(2026)).toMatchObject({ first: '2026-02-01', last: '2027-01-30' });
    expect(fact(2028)).toMatchObject({ first: '2028-01-30', last: '2029-02-03' });
    const months = await hq.asOwner<{ days: number }>(
      'select days from store_months where store_id = $1 and year = $2 order by number',
      [store.store_id, 2023],
    );
    expect(months.map(({ days }) => days / 7)).toEqual([4, 5, 4, 4, 5, 4, 4, 5, 4, 4, 5, 5]);
  });

  it.each([
    [{ week_starts: 'saturday', year_starts: '09-01', weeks: '4-4-5' }],
    [{ week_starts: 'wednesday', year_starts: '12-28', weeks: '5-4-4' }],
    [{ week_starts: 'sunday', year_starts: '02-01', weeks: '4-5-4' }],
  ] as [Calendar][])('leave no day out and count none twice: %o', async (calendar) => {
    const store = await traded('1999-06-01', '2038-12-31', '1', calendar);
    const wrong = await hq.asOwner(
      `with day as (
         select *, lag(week_year) over w as y, lag(week) over w as k, lag(month) over w as m,
           lag(week_start) over w as s
         from (select *, date - (extract(isodow from date)::integer
             - ${['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'].indexOf(calendar.week_starts) + 1} + 7) % 7
             as week_start from store_days where store_id = $1) d
         window w as (order by date))
       select date from day where y is not null and not case
         when week_start = s then (week_year, week, month) = (y, k, m)
         when week = 1 then week_year = y + 1 and k in (52, 53) and month = 1 and m = 12
         else week_year = y and week = k + 1 and month - m in (0, 1) end`,
      [store.store_id],
    );
    expect(wrong).toEqual([]);
    const ends = await hq.asOwner(
      `select sum(days)::integer as days, bool_and(days = days_expected) as whole
       from store_months where store_id = $1 and year between 2000 and 2036`,
      [store.store_id],
    );
    const years = await hq.asOwner(
      `select sum(days)::integer as days, bool_and(days = days_expected) as whole
       from store_years where store_id = $1 and year between 2000 and 2036`,
      [store.store_id],
    );
    expect(ends).toEqual(years);
    expect(years).toMatchObject([{ whole: true }]);
    expect(await calendarOf(hq.db, store.organization)).toEqual(calendar);
  });

  it('restate a year of 53 weeks, and say what it was as reported', async () => {
    // A hundred a day, twice as many in the first week; in the year after, a hundred and ten.
    const people =
      "case when d >= '2024-02-04' then 110 when d < '2023-02-05' then 200 else 100 end";
    const store = await traded('2023-01-29', '2024-03-02', people, nrf);
    const person = await personOf(store);
    const { periods } = await periodsOf(hq.db, person, store.code, 'month');
    const [first, second] = [
      periods.find(({ year, number }) => year === 2023 && number === 1),
      periods.find(({ year, number }) => year === 2024 && number === 1),
    ];
    expect(first).toMatchObject({ first_date: '2023-01-29', days: 28, vs_last_year_percent: null });
    // Four weeks from 4 February beside four weeks from 5 February of the year before, which were
    // weeks 2 to 5; as reported, month 1 was weeks 1 to 4.
    expect(second).toMatchObject({
      first_date: '2024-02-04',
      last_date: '2024-03-02',
      comparable_days: 28,
      vs_last_year_percent: 10,
      vs_last_year_as_reported_percent: -12,
      status: 'complete',
    });
    const [year] = (await periodsOf(hq.db, person, store.code, 'year')).periods;
    expect(year).toMatchObject({ days: 371, footfall: 37_800, status: 'complete' });
  });

  it('compare a running period day by day, and leave out what cannot be compared', async () => {
    const store = await traded(
      '2025-01-06',
      '2026-01-07',
      "case when d < '2026-01-01' then 10 else 12 end",
    );
    await hq.asOwner(
      `update daily_analytics set coverage = 0.5, status = 'partial', total_footfall = 3
       where store_id = $1 and date = '2025-01-07'`,
      [store.store_id],
    );
    const person = await personOf(store);
    const { periods } = await periodsOf(hq.db, person, store.code, 'week');
    // Monday to Wednesday, Tuesday's partner of the year before being in pieces.
    expect(periods.at(-1)).toMatchObject({
      year: 2026,
      number: 2,
      days: 3,
      status: 'partial',
      comparable_days: 2,
      vs_last_year_percent: 20,
      vs_last_year_as_reported_percent: null,
      vs_previous_percent: null,
    });
    const known = await storeByCode(hq.db, store.organization, store.code);
    await hq.asOwner("update stores set comparable_since = '2025-01-08' where id = $1", [known.id]);
    const again = await periodsOf(hq.db, person, store.code, 'week');
    expect(again.periods.at(-1)).toMatchObject({ comparable_days: 1 });
  });

  it('know holidays by name, with hours of their own', async () => {
    const store = await addTestStore(hq, { timezone: 'Europe/Madrid' });
    await addLine(hq, store, 'front-door');
    const known = await storeByCode(hq.db, store.organization, store.code);
    const holiday = { date: '2025-12-24', name: 'Christmas Eve' };
    await addHoliday(hq.db, store.organization, known, {
      ...holiday,
      hours: parseHolidayHours('10:00-14:30'),
    });
    await hq.asOwner(
      `insert into app.rollup_dirty (organization_id, store_id, bucket)
       select $1, $2, h from generate_series('2025-12-23T23:00Z'::timestamptz,
         '2025-12-24T22:00Z', '1 hour') h`,
      [store.organization.id, store.store_id],
    );
    await rollUp(hq.db, store.organization.id);
    const trades = () =>
      hq.asOwner<{ local_hour: number; trading_s: number }>(
        `select local_hour, trading_s from store_hourly
         where store_id = $1 and trading_s > 0 order by start_time`,
        [store.store_id],
      );
    expect((await trades()).map((one) => [one.local_hour, one.trading_s])).toEqual([
      [10, 3600],
      [11, 3600],
      [12, 3600],
      [13, 3600],
      [14, 1800],
    ]);
    await expect(
      addHoliday(hq.db, store.organization, known, {
        ...holiday,
        hours: { opens: '14:00', closes: '10:00' },
      }),
    ).rejects.toMatchObject({ code: 'value_invalid' });
  });

  it.each([
    [{ kind: 'lunar' }, 'kind'],
    [{ kind: 'custom', yearStarts: '09-01' }, 'weekStarts'],
    [{ kind: 'custom', weekStarts: 'monday', yearStarts: '02-30' }, 'yearStarts'],
    [{ kind: 'iso', weekStarts: 'monday' }, 'weekStarts'],
  ])('refuse %o', (options, path) => {
    const result = calendarSchema.safeParse(options);
    expect(result.error?.issues.map((issue) => issue.path[0])).toContain(path);
  });
});
