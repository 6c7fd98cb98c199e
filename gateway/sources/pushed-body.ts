/**
 * What a device sent in the body of a request: its text parts. Pictures end here, before anything is
 * stored or logged: counters with a camera send one beside every count (multipart), and nobody asked
 * the people on it.
 */
import { gunzipSync, inflateSync } from 'node:zlib';
import { errorText } from '../../shared/runtime/errors.ts';

/** A whole request, pictures included. */
export const request_bytes_max = 8 * 1024 * 1024;
const parts_max = 32;

export type PushedBody =
  | { readonly kind: 'texts'; readonly texts: readonly Uint8Array[] }
  /** Not readable as what it says it is; the detail names types and sizes, never content. */
  | { readonly kind: 'fault'; readonly detail: string };

export function pushedBody(
  body: Uint8Array,
  content_type: string,
  content_encoding: string,
): PushedBody {
  let plain: Buffer;
  try {
    plain = decompressed(Buffer.from(body), content_encoding);
  } catch (error) {
    const detail = `content-encoding ${content_encoding}: ${errorText(error)}`;
    return { kind: 'fault', detail };
  }
  if (isPicture(content_type)) return noText(`${content_type}, ${plain.length} bytes`);
  // Hikvision writes "multipart/form-data, boundary=…", so the type is not parsed strictly.
  if (!/^\s*multipart\//i.test(content_type)) return { kind: 'texts', texts: [plain] };
  const boundary = /boundary="?([^";,\s]{1,200})"?/i.exec(content_type)?.[1];
  if (boundary === undefined) return { kind: 'fault', detail: `${content_type}: no boundary` };
  return textsOf(plain, boundary);
}

function decompressed(body: Buffer, encoding: string): Buffer {
  const limit = { maxOutputLength: request_bytes_max };
  switch (encoding.trim().toLowerCase()) {
    case '':
    case 'identity':
      return body;
    case 'gzip':
    case 'x-gzip':
      return gunzipSync(body, limit);
    case 'deflate':
      return inflateSync(body, limit);
    default:
      throw new Error('only gzip and deflate are taken');
  }
}

function textsOf(body: Buffer, boundary: string): PushedBody {
  const parts = partsOf(body, boundary);
  if (parts === null || parts.length === 0) {
    return { kind: 'fault', detail: `multipart of ${body.length} bytes without a whole part` };
  }
  const texts = parts.filter((part) => !isPicture(part.type) && !holdsPicture(part.bytes));
  if (texts.length > 0) return { kind: 'texts', texts: texts.map((part) => part.bytes) };
  return noText(parts.map(({ type, bytes }) => `${type}, ${bytes.length} bytes`).join('; '));
}

function noText(detail: string): PushedBody {
  return { kind: 'fault', detail: `nothing but pictures: ${detail}` };
}

interface Part {
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** The parts between the boundaries (RFC 2046, 5.1.1); null where one is cut off. */
function partsOf(body: Buffer, boundary: string): Part[] | null {
  const mark = Buffer.from(`--${boundary}`, 'latin1');
  const parts: Part[] = [];
  let at = body.indexOf(mark);
  while (at !== -1 && parts.length < parts_max) {
    const from = at + mark.length;
    if (body.subarray(from, from + 2).toString('latin1') === '--') return parts;
    const next = body.indexOf(mark, from);
    if (next === -1) return null;
    const part = partOf(body.subarray(from, next));
    if (part !== null) parts.push(part);
    at = next;
  }
  return at === -1 ? null : parts;
}

/** Lines end with CRLF by the standard and with LF on some devices. */
function partOf(bytes: Buffer): Part | null {
  const separator = /\r?\n\r?\n/.exec(bytes.toString('latin1'));
  if (separator === null) return null;
  const headers = bytes.subarray(0, separator.index).toString('latin1');
  const content = bytes.subarray(separator.index + separator[0].length);
  const type = /^content-type:\s*([^\r\n]*)/im.exec(headers)?.[1] ?? 'text/plain';
  const name = /filename="?([^";\r\n]*)/i.exec(headers)?.[1] ?? '';
  const end = content.at(-2) === 0x0d ? -2 : content.at(-1) === 0x0a ? -1 : undefined;
  const isPictureFile = /\.(jpe?g|png|bmp|gif|webp|mp4)$/i.test(name.trim());
  return { type: isPictureFile ? 'image/*' : type, bytes: content.subarray(0, end) };
}

function isPicture(type: string): boolean {
  return /^\s*(image|video|audio)\//i.test(type);
}

/** A picture that does not say so, by the first bytes of JPEG, PNG, GIF, BMP and WebP; not a text of "BM-1". */
function holdsPicture(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  return /^(\xff\xd8\xff|\x89PNG|GIF8[79]a|BM.{4}\0{4}|RIFF.{4}WEBP)/s.test(head);
}
