/** Times as devices write them, to milliseconds since the epoch. */

/**
 * RFC 3339 with the deviations that real counters send: a space instead of `T`, offsets without a
 * colon (`+0000`) or a leading zero (`-5:00`), and `-00:00` for "UTC, zone unknown" (RFC 3339 4.3).
 * A time without any offset is refused: guessing the zone puts counts in the wrong hour.
 */
const iso =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d{1,2}:?\d\d)$/i;

/** Local wall-clock time: `2022/12/20 18:15:52`, `2022-12-20T18:15:52` or `20221220181552`. */
const local = /^(\d{4})[-/]?(\d\d)[-/]?(\d\d)[T ]?(\d\d):?(\d\d):?(\d\d)$/;

/** @returns null where the value is no time of that format. */
export function readTime(value: unknown, format: 'iso8601' | 'unix_s' | 'unix_ms'): number | null {
  if (format === 'iso8601') return typeof value === 'string' ? readIso(value.trim()) : null;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.round(format === 'unix_s' ? number * 1000 : number);
}

/**
 * A wall-clock time without an offset, with the zone that stands elsewhere.
 *
 * @param zone `UTC+8:00`, whatever follows it, or an IANA name.
 * @param summer the message says that summer time adds an hour to the `UTC…` offset.
 */
export function readLocalTime(value: unknown, zone: unknown, summer: boolean): number | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const match = local.exec(String(value).trim());
  if (match === null || typeof zone !== 'string') return null;
  const [year = 0, month = 0, day = 0, hour, minute, second] = match.slice(1).map(Number);
  const wall = wallTime([year, month, day], [hour ?? 0, minute ?? 0, second ?? 0], 0);
  if (wall === null) return null;
  const fixed = /^UTC([+-]\d{1,2}:?\d\d)/i.exec(zone);
  if (fixed?.[1] !== undefined) return wall - offset_ms(fixed[1]) - (summer ? 3_600_000 : 0);
  const offset = offsetIn(zone, wall);
  if (offset === null) return null;
  // The offset at the instant itself; it differs from the first guess only near a clock change.
  return wall - (offsetIn(zone, wall - offset) ?? offset);
}

const zones = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's wall clock is ahead of UTC at an instant, ms; null for an unknown zone. */
function offsetIn(zone: string, instant: number): number | null {
  let format = zones.get(zone);
  if (format === undefined) {
    try {
      format = new Intl.DateTimeFormat('en-US', {
        timeZone: zone,
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch {
      return null;
    }
    zones.set(zone, format);
  }
  const part = new Map(
    format.formatToParts(instant).map((each) => [each.type, Number(each.value)]),
  );
  const of = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
  const wall = Date.UTC(
    of('year'),
    of('month') - 1,
    of('day'),
    of('hour'),
    of('minute'),
    of('second'),
  );
  return wall - Math.floor(instant / 1000) * 1000;
}

function readIso(text: string): number | null {
  const match = iso.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const wall = wallTime(
    [Number(year), Number(month), Number(day)],
    [Number(hour), Number(minute), Number(second)],
    ms,
  );
  return wall === null ? null : wall - offset_ms(zone);
}

/** @returns null for a date or hour that does not exist: `Date.UTC` turns 31 February into March. */
function wallTime(
  [year, month, day]: readonly [number, number, number],
  [hour, minute, second]: readonly [number, number, number],
  ms: number,
): number | null {
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 60) return null;
  const exists = day <= 28 || new Date(Date.UTC(year, month - 1, day)).getUTCDate() === day;
  return exists ? Date.UTC(year, month - 1, day, hour, minute, second, ms) : null;
}

function offset_ms(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  const digits = zone.slice(1).replace(':', '').padStart(4, '0');
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
}
