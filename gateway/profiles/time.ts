/** Times as devices write them, to milliseconds since the epoch. */

/**
 * RFC 3339 with the deviations that real counters send: a space instead of `T`, offsets without a
 * colon (`+0000`) or a leading zero (`-5:00`), and `-00:00` for "UTC, zone unknown" (RFC 3339 4.3).
 * A time without any offset is refused: guessing the zone puts counts in the wrong hour.
 */
const iso =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d{1,2}:?\d\d)$/i;

/** @returns null where the value is no time of that format. */
export function readTime(value: unknown, format: 'iso8601' | 'unix_s' | 'unix_ms'): number | null {
  if (format === 'iso8601') return typeof value === 'string' ? readIso(value.trim()) : null;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) return null;
  return Math.round(format === 'unix_s' ? number * 1000 : number);
}

function readIso(text: string): number | null {
  const match = iso.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const date = [year, month, day].map(Number) as [number, number, number];
  const utc = Date.UTC(
    date[0],
    date[1] - 1,
    date[2],
    Number(hour),
    Number(minute),
    Number(second),
    ms,
  );
  const same = new Date(utc);
  // Date.UTC turns 31 February into March and hour 25 into tomorrow; a device means neither.
  if (same.getUTCDate() !== date[2] || same.getUTCMonth() !== date[1] - 1) return null;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return null;
  return utc - offset_ms(zone);
}

function offset_ms(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  const digits = zone.slice(1).replace(':', '').padStart(4, '0');
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
}
