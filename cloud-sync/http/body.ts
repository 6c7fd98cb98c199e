/** Receives a request body within limits: of what is sent, and of what it grows to when inflated. */
import type { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

export interface BodyLimits {
  /** As sent, in bytes. */
  readonly bytes_max: number;
  /** After gunzip, in bytes. */
  readonly inflated_bytes_max: number;
}

/** A body as it came over the line. */
export interface SentBody {
  readonly bytes: Buffer;
  readonly isGzip: boolean;
}

/** Steps in which a body inflates. */
const inflate_step_bytes = 256 * 1024;

/** @throws encoding_unsupported, body_too_large, body_malformed */
export async function receiveBody(
  request: Readable,
  headers: { encoding: string | undefined; length: string | undefined },
  { bytes_max }: BodyLimits,
): Promise<SentBody> {
  const encoding = (headers.encoding ?? 'identity').toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new FootbridgeError('encoding_unsupported', `Content-Encoding: ${encoding.slice(0, 50)}`);
  }
  if (Number(headers.length ?? 0) > bytes_max) throw tooLarge(bytes_max);
  try {
    return { bytes: await collect(request, bytes_max), isGzip: encoding === 'gzip' };
  } catch (cause) {
    if (cause instanceof FootbridgeError) throw cause;
    throw new FootbridgeError('body_malformed', 'the body ends early', { cause });
  }
}

/**
 * The body after gunzip, at once: a batch takes a millisecond, and what waits for its turn waits
 * small.
 *
 * A gzip bomb is refused while it inflates: a megabyte of it would be a gigabyte.
 *
 * @throws body_too_large, body_malformed
 */
export function inflateBody(
  { bytes, isGzip }: SentBody,
  { inflated_bytes_max }: BodyLimits,
): Buffer {
  if (!isGzip) return bytes;
  try {
    return gunzipSync(bytes, {
      maxOutputLength: inflated_bytes_max,
      chunkSize: inflate_step_bytes,
    });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(inflated_bytes_max);
    throw new FootbridgeError('body_malformed', 'the body is not gzip, or it ends early', {
      cause,
    });
  }
}

async function collect(source: AsyncIterable<Buffer>, bytes_max: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > bytes_max) throw tooLarge(bytes_max);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function tooLarge(bytes_max: number): FootbridgeError {
  return new FootbridgeError('body_too_large', `the limit is ${bytes_max} bytes`);
}
