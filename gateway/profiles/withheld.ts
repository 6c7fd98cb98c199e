/**
 * What is dropped from a message before it is kept for people to look at: pictures, logins, identities
 * of SIM cards, ages and tracks. A frame stands in quarantine so that someone can see why it could not
 * be used; none of these would tell. Pure.
 */

const names = [
  // Terabee L-XL sends its login in every message, VS121-P a picture, VS125 the SIM card.
  'user(?:_?name)?|login|passw(?:or)?d|passwd|pwd|token|api_?key|secret|authorization',
  'snapshot|image|picture|photo|thumbnail|face',
  'iccid|imei|imsi|msisdn',
  'age|gender|track_?id|coordinates|position',
].join('|');

const value = `"(?:[^"\\\\]|\\\\.)*"?|-?[\\d.eE+-]+|true|false`;
const json = new RegExp(`("(?:${names})"\\s*:\\s*)(?:${value})`, 'gi');
const xml = new RegExp(`(<(?:[\\w.-]+:)?(${names})(?:\\s[^<>]*)?>)[^<]*`, 'gi');
const form = new RegExp(`((?:^|[?&])(?:${names})=)[^&\\s]*`, 'gi');
/** No counter writes so much without a space or a quote, except a picture as base64. */
const base64 = /[A-Za-z0-9+/=_-]{400,}/g;
/** Where JPEG and PNG begin. */
const picture = /\xff\xd8\xff|\x89PNG\r\n/;

/** The head of a message, at most `length_max` bytes, without what nobody needs to see. */
export function withheld(bytes: Uint8Array, length_max: number): Uint8Array {
  const head = bytes.subarray(0, length_max);
  const text = Buffer.from(head.buffer, head.byteOffset, head.length).toString('latin1');
  const start = text.search(picture);
  const readable = start < 0 ? text : `${text.slice(0, start)}(picture dropped)`;
  const kept = readable
    .replaceAll(json, '$1"(dropped)"')
    .replaceAll(xml, '$1(dropped)')
    .replaceAll(form, '$1(dropped)')
    .replaceAll(base64, '(long text dropped)');
  return new Uint8Array(Buffer.from(kept, 'latin1').subarray(0, length_max));
}
