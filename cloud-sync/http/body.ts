/** Reads a request body within limits: of what is sent, and of what it grows to when inflated. */
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

export interface BodyLimits {
  /** As sent, in bytes. */
  readonly bytes_max: number;
  /** After gunzip, in bytes. */
  readonly inflated_bytes_max: number;
}

/**
 * The body after gunzip.
 *
 * A gzip bomb is refused while it inflates: a megabyte of it would be a gigabyte.
 *
 * @throws encoding_unsupported, body_too_large, body_malformed
 */
export async function readBody(
  request: Readable,
  headers: { encoding: string | undefined; length: string | undefined },
  limits: BodyLimits,
): Promise<Buffer> {
  const encoding = (headers.encoding ?? 'identity').toLowerCase();
  if (encoding !== 'identity' && encoding !== 'gzip') {
    throw new FootbridgeError('encoding_unsupported', `Content-Encoding: ${encoding.slice(0, 50)}`);
  }
  if (Number(headers.length ?? 0) > limits.bytes_max) throw tooLarge(limits.bytes_max);

  const sent = limited(request, limits.bytes_max);
  const isGzip = encoding === 'gzip';
  try {
    const whole = isGzip ? limited(gunzip(sent), limits.inflated_bytes_max) : sent;
    return Buffer.concat(await collect(whole));
  } catch (cause) {
    if (cause instanceof FootbridgeError) throw cause;
    const detail = `the body ${isGzip ? 'is not gzip, or it ' : ''}ends early`;
    throw new FootbridgeError('body_malformed', detail, { cause });
  }
}

async function* gunzip(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const inflate = createGunzip();
  const feed = (async () => {
    try {
      for await (const chunk of source) {
        if (inflate.destroyed) return;
        if (!inflate.write(chunk)) await drained(inflate);
      }
      inflate.end();
    } catch (error) {
      inflate.destroy(error as Error);
    }
  })();
  try {
    for await (const chunk of inflate) yield chunk as Buffer;
  } finally {
    inflate.destroy();
    await feed;
  }
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    stream.once('drain', resolve);
    stream.once('close', resolve);
  });
}

async function* limited(source: AsyncIterable<Buffer>, bytes_max: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > bytes_max) throw tooLarge(bytes_max);
    yield chunk;
  }
}

async function collect(source: AsyncIterable<Buffer>): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return chunks;
}

function tooLarge(bytes_max: number): FootbridgeError {
  return new FootbridgeError('body_too_large', `the limit is ${bytes_max} bytes`);
}
