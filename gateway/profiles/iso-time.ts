/** ISO 8601 and RFC 3339 as devices write them, to milliseconds since the epoch. Pure. */

/**
 * RFC 3339 with the deviations that real counters send: a space instead of `T`, offsets without a
 * colon (`+0000`) or a leading zero (`-5:00`), and `-00:00` for "UTC, zone unknown" (RFC 3339 4.3).
 * A time without any offset is refused: guessing the zone puts counts in the wrong hour.
 */
const iso =
  /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))?(Z|[+-]\d{1,2}:?\d\d)$/i;

const [plus, minus, dot, slash, colon, space, upper_t, upper_z] = [43, 45, 46, 47, 58, 32, 84, 90];

/** @returns ms since the epoch; null where the text is no such time. */
export function readIso(text: string): number | null {
  const common = readCommonIso(text);
  if (common !== null) return common;
  const match = iso.exec(text.trim());
  if (match === null) return null;
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match;
  const ms = Number(fraction.padEnd(3, '0').slice(0, 3));
  const wall = wallTime(
    Number(year),
    Number(month),
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  return wall === null ? null : wall + ms - offset_ms(zone);
}

/**
 * The form that nearly all devices send, `2024-05-30T20:11:32.123+08:00` or `…Z`, by its digits: a
 * regular expression costs ten times as much, and a message has up to four times.
 *
 * @returns null where the text has any other form.
 */
function readCommonIso(text: string): number | null {
  const { length } = text;
  if (length < 20 || text.charCodeAt(4) !== minus) return null;
  const wall = readWall(text);
  if (wall === null) return null;
  let at = 19;
  let ms = 0;
  if (text.charCodeAt(at) === dot) {
    at += 1;
    for (let unit = 100; digit(text, at) >= 0; at += 1, unit /= 10) {
      if (unit >= 1) ms += digit(text, at) * unit;
    }
    if (at === 20 || at > 29) return null;
  }
  const sign = text.charCodeAt(at);
  if (sign === upper_z) return at + 1 === length ? wall + ms : null;
  if ((sign !== plus && sign !== minus) || at + 6 !== length) return null;
  const offset = digits(text, at + 1) * 60 + digits(text, at + 4);
  if (text.charCodeAt(at + 3) !== colon || Number.isNaN(offset)) return null;
  return wall + ms - (sign === minus ? -offset : offset) * 60_000;
}

/**
 * The first 19 characters of `2024-05-30T20:11:32` or `2024/05/30 20:11:32` as if they were UTC.
 *
 * @returns null where they are no such time.
 */
export function readWall(text: string): number | null {
  const separator = text.charCodeAt(4);
  if ((separator !== minus && separator !== slash) || text.charCodeAt(7) !== separator) return null;
  if (text.charCodeAt(13) !== colon || text.charCodeAt(16) !== colon) return null;
  const between = text.charCodeAt(10);
  if (between !== upper_t && between !== space) return null;
  return wallTime(
    digits(text, 0) * 100 + digits(text, 2),
    digits(text, 5),
    digits(text, 8),
    digits(text, 11),
    digits(text, 14),
    digits(text, 17),
  );
}

/** One digit, or -1. */
function digit(text: string, at: number): number {
  const code = text.charCodeAt(at) - 48;
  return code >= 0 && code <= 9 ? code : -1;
}

/** Two digits as a number, or NaN. */
function digits(text: string, at: number): number {
  const [tens, ones] = [digit(text, at), digit(text, at + 1)];
  return tens < 0 || ones < 0 ? Number.NaN : tens * 10 + ones;
}

/** @returns null for a date or hour that does not exist: `Date.UTC` turns 31 February into March. */
export function wallTime(
  year: number,
  month: number,
  day: number,
  hour: number,
  minute: number,
  second: number,
): number | null {
  // Written so that NaN is refused as well.
  if (!(month >= 1 && month <= 12 && day >= 1 && day <= 31 && year >= 0)) return null;
  if (!(hour <= 23 && minute <= 59 && second <= 60)) return null;
  if (day > 28 && new Date(Date.UTC(year, month - 1, day)).getUTCDate() !== day) return null;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** Of `Z`, `+08:00`, `+0800` or `-5:00`. */
export function offset_ms(zone: string): number {
  if (zone === 'Z' || zone === 'z') return 0;
  const sign = zone.startsWith('-') ? -1 : 1;
  const digits = zone.slice(1).replace(':', '').padStart(4, '0');
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2))) * 60_000;
}
