/** Times as devices write them, to milliseconds since the epoch. Pure. */
import { offset_ms, readIso, readWall, wallTime } from './iso-time.ts';
import { offsetIn } from './zone-offset.ts';

/** Local wall-clock time: `2022/12/20 18:15:52`, `2022-12-20T18:15:52` or `20221220181552`. */
const local = /^(\d{4})[-/]?(\d\d)[-/]?(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)$/;

/** @returns null where the value is no time of that format. */
export function readTime(value: unknown, format: 'iso8601' | 'unix_s' | 'unix_ms'): number | null {
  if (format === 'iso8601') return typeof value === 'string' ? readIso(value) : null;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.round(format === 'unix_s' ? number * 1000 : number);
}

/**
 * A wall-clock time without an offset, with the zone that stands elsewhere.
 *
 * @param zone `UTC+8:00`, whatever follows it, an IANA name, or hours like `-5` and `5.5`.
 * @param summer the message says that summer time adds an hour to the `UTC…` offset.
 */
export function readLocalTime(value: unknown, zone: unknown, summer: boolean): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const wall = localWall(String(value));
  if (wall === null || (typeof zone !== 'string' && typeof zone !== 'number')) return null;
  const fixed = fixedOffset(String(zone));
  if (fixed !== null) return wall - fixed - (summer ? 3_600_000 : 0);
  const name = String(zone);
  const offset = offsetIn(name, wall);
  if (offset === null) return null;
  // The offset at the instant itself; it differs from the first guess only near a clock change.
  return wall - (offsetIn(name, wall - offset) ?? offset);
}

function localWall(text: string): number | null {
  const common = text.length === 19 ? readWall(text) : null;
  if (common !== null) return common;
  const match = local.exec(text.trim());
  if (match === null) return null;
  const [, year, month, day, hour, minute, second] = match;
  return wallTime(
    Number(year),
    Number(month),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
}

/** Of `UTC+8:00` or hours, ms; null where the zone is a name. */
function fixedOffset(zone: string): number | null {
  if (/^[+-]?\d{1,2}(\.\d+)?$/.test(zone)) return Number(zone) * 3_600_000;
  const offset = /^UTC([+-]\d{1,2}:?\d\d)/i.exec(zone)?.[1];
  return offset === undefined ? null : offset_ms(offset);
}
