/** How reports about a store read on a terminal. */
import type { CommissioningRow } from '../reports/commissioning.ts';
import type { StoreDay, StoreTotal } from '../reports/days.ts';
import type { StorePeriod } from '../reports/periods.ts';

type Row = (string | number | null)[];

export const total_columns = [
  'date',
  'hour',
  'in',
  'out',
  'footfall',
  'estimated',
  'inside',
  'doors',
  'covered',
  'status',
];

export function totalRow(hour: StoreTotal): Row {
  return [
    hour.local_date,
    clockHour(hour.local_hour, hour.utc_offset_min),
    hour.total_in,
    hour.total_out,
    hour.footfall,
    hour.estimated_in,
    hour.net_occupancy,
    `${hour.sensors_heard}/${hour.sensors_expected}`,
    percent(hour.coverage),
    hour.status,
  ];
}

export const day_columns = [
  'date',
  'footfall',
  'estimated',
  'out of hours',
  'peak hour',
  'peak inside',
  'hours',
  'covered',
  'status',
];

export function dayRow(day: StoreDay): Row {
  return [
    day.date,
    day.total_footfall,
    day.estimated_in,
    day.out_of_hours_in,
    day.peak_hour === null ? null : `${String(day.peak_hour).padStart(2, '0')}:00`,
    day.peak_occupancy,
    day.hours_in_day,
    percent(day.coverage),
    day.status,
  ];
}

export const commissioning_columns = [
  'store',
  'sensor',
  'stage',
  'walk test',
  'audit',
  'people',
  'in',
  'out',
  'by',
];

export function commissioningRow(sensor: CommissioningRow): Row {
  const tested = (at: Date | null, verdict: string | null) =>
    at === null ? null : `${at.toISOString().slice(0, 10)} ${verdict}`;
  return [
    sensor.store,
    sensor.sensor_id,
    sensor.stage,
    tested(sensor.walk_test_at, sensor.walk_test_verdict),
    tested(sensor.audit_at, sensor.audit_verdict),
    sensor.audit_people,
    percent(sensor.accuracy_in),
    percent(sensor.accuracy_out),
    sensor.who,
  ];
}

export const period_columns = [
  'year',
  'no',
  'from',
  'to',
  'footfall',
  'estimated',
  'before',
  'last year',
  'as reported',
  'covered',
  'status',
];

export function periodRow(period: StorePeriod): Row {
  return [
    period.year,
    period.number,
    period.first_date,
    period.last_date,
    period.footfall,
    period.estimated_in,
    change(period.vs_previous_percent),
    change(period.vs_last_year_percent),
    change(period.vs_last_year_as_reported_percent),
    percent(period.coverage),
    period.status,
  ];
}

function change(by_percent: number | null): string | null {
  return by_percent === null ? null : `${by_percent < 0 ? '' : '+'}${by_percent.toFixed(1)} %`;
}

/** With its offset: in an autumn night there are two hours of one name. */
function clockHour(hour: number, offset_min: number): string {
  const part = (n: number) => String(n).padStart(2, '0');
  const east = Math.abs(offset_min);
  const sign = offset_min < 0 ? '-' : '+';
  return `${part(hour)}:00${sign}${part(Math.floor(east / 60))}:${part(east % 60)}`;
}

function percent(share: number | null): string | null {
  return share === null ? null : `${Math.round(share * 100)} %`;
}
