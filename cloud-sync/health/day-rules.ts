/** What the last finished day of a store gives away; pure. */
import type { AlertType, Finding } from './alert-types.ts';
import { worstLine } from './count-rules.ts';
import type { Judgement, Line } from './verdicts.ts';
import { Verdicts } from './verdicts.ts';

export interface FinishedDay {
  readonly store_id: string;
  readonly name: string;
  readonly gateway_ids: readonly string[];
  /** YYYY-MM-DD */
  readonly date: string;
  /** Whether every gateway has delivered the whole day and its hours are computed. */
  readonly settled: boolean;
  readonly total_in: number;
  readonly total_out: number;
  /** Whether its entrances counted both ways within the four weeks before. */
  readonly both_ways: boolean;
  /** People counted in hours that lie an hour or more away from any trading. */
  readonly at_night: number;
  /** Share of the trading hours that readings cover; null: the store was closed. */
  readonly coverage: number | null;
}

export interface ExpiringKey {
  readonly id: string;
  readonly name: string;
  readonly days_left: number;
}

/** Who goes in comes out: what is left is the counter's own drift. */
const balance_min = 0.95;
/** Below, a family that leaves by the back door is five percent. */
const people_min = 200;
const at_night_max = 20;
const coverage_min = 0.9;
const key_days = 14;

export function judgeDays(
  days: readonly FinishedDay[],
  lines: ReadonlyMap<string, Line>,
  open: ReadonlySet<string>,
): Judgement {
  const verdicts = new Verdicts(open);
  for (const day of days) {
    const line = day.settled ? worstLine(day.gateway_ids, lines) : 'unknown';
    const about = (alert_type: AlertType, title: string, description: string): Finding => ({
      alert_type,
      subject: day.store_id,
      store_id: day.store_id,
      title: `${day.name}: ${title} on ${day.date}`,
      description,
      metadata: { date: day.date },
    });
    const people = day.total_in + day.total_out;
    const balance = people === 0 ? 1 : 1 - Math.abs(day.total_in - day.total_out) / people;
    verdicts.say(
      line,
      day.both_ways && people >= people_min && balance < balance_min,
      about(
        'in_out_imbalance',
        `${day.total_in} in, ${day.total_out} out`,
        'Who goes in comes out: an entrance misses people in one direction, or is not counted.',
      ),
    );
    verdicts.say(
      line,
      day.at_night > at_night_max,
      about(
        'counts_at_night',
        `${day.at_night} people while closed`,
        'Cleaning, deliveries, or a counter that sees what is not there. Check the trading hours too.',
      ),
    );
    verdicts.say(
      line,
      day.coverage !== null && day.coverage < coverage_min,
      about(
        'day_incomplete',
        `${Math.round((day.coverage ?? 0) * 100)} % of the trading hours are known`,
        'Everything that was counted has arrived; the rest was not counted. The day is marked partial.',
      ),
    );
  }
  return verdicts;
}

export function judgeKeys(keys: readonly ExpiringKey[]): Judgement {
  const verdicts = new Verdicts(new Set());
  for (const { id, name, days_left } of keys) {
    verdicts.say('online', days_left < key_days, {
      alert_type: 'key_expiring',
      subject: id,
      store_id: null,
      title: `API key ${name} ${days_left < 0 ? 'has expired' : `ends in ${days_left} days`}`,
      description: 'Whoever asks with it is refused then. Make a new one and revoke this one.',
      metadata: { key_id: id },
    });
  }
  return verdicts;
}
