/**
 * A place in a bucket of any S3-compatible store: single objects, path style, Signature Version 4.
 * Each file goes with its checksum signed, so that the store itself refuses other bytes.
 */
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { AwsClient } from 'aws4fetch';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { BucketSettings } from '../config.ts';

/** One PUT takes no more: 5 GiB. */
const object_bytes_max = 5 * 1024 ** 3;

export interface Bucket {
  /** As `s3://bucket/prefix`, for people. */
  readonly name: string;
  /** Sends a file. @throws archive_unreachable */
  put(key: string, file: { path: string; bytes: number; sha256: string }): Promise<void>;
  /** The object's bytes; undefined where there is none. @throws archive_unreachable */
  get(key: string): Promise<Readable | undefined>;
  has(key: string): Promise<boolean>;
}

/** Whether an archive is named by the address of a bucket rather than a directory. */
export function isBucketAddress(archive: string): boolean {
  return archive.startsWith('s3://');
}

/** @param address `s3://bucket` or `s3://bucket/prefix`. @throws usage, config_invalid */
export function openBucket(address: string, settings: BucketSettings | null): Bucket {
  const [, bucket, prefix] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]*)((?:\/[\w.=-]+)*)\/?$/.exec(address) ?? [];
  if (bucket === undefined) {
    throw new FootbridgeError('usage', `"${address}" is no bucket; write s3://bucket/prefix`);
  }
  if (settings === null) {
    throw new FootbridgeError(
      'config_invalid',
      'a bucket needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
      { hint: 'Set them in the environment of the service (/etc/footbridge-hq/hq.env).' },
    );
  }
  const client = new AwsClient({
    service: 's3',
    region: settings.region,
    accessKeyId: settings.access_key_id,
    secretAccessKey: settings.secret_access_key,
    ...(settings.session_token === undefined ? {} : { sessionToken: settings.session_token }),
    // A body that was sent cannot be sent again; the next run starts anew.
    retries: 0,
  });
  const name = `s3://${bucket}${prefix}`;

  /** The answer, or undefined where there is no such object. */
  async function ask(
    method: string,
    key: string,
    rest: {
      headers?: Record<string, string>;
      body?: NonNullable<RequestInit['body']>;
      duplex?: 'half';
    } = {},
  ): Promise<Response | undefined> {
    const url = `${settings?.endpoint}/${bucket}${prefix}/${key}`;
    const failed = (detail: string, cause?: unknown) =>
      new FootbridgeError('archive_unreachable', `${method} ${url}: ${detail}`, { cause });
    let response: Response;
    try {
      // Another address would not accept what is signed for this one.
      response = await client.fetch(url, { method, redirect: 'manual', ...rest });
    } catch (cause) {
      const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
      throw failed(errorText(reason), cause);
    }
    if (response.status === 404 && method !== 'PUT') {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok) {
      const said = /<Code>(\w+)<\/Code>/.exec(await response.text())?.[1];
      throw failed(`${response.status} ${said ?? response.statusText}`);
    }
    return response;
  }

  return {
    name,
    async put(key, { path, bytes, sha256 }) {
      if (bytes > object_bytes_max) {
        throw new FootbridgeError('archive_unreachable', `${path} is larger than 5 GiB`);
      }
      const body = Readable.toWeb(createReadStream(path)) as ReadableStream;
      const headers = { 'content-length': String(bytes), 'x-amz-content-sha256': sha256 };
      const response = await ask('PUT', key, { headers, body, duplex: 'half' });
      await response?.body?.cancel();
    },
    async get(key) {
      const body = (await ask('GET', key))?.body;
      return body ? Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]) : undefined;
    },
    has: async (key) => (await ask('HEAD', key)) !== undefined,
  };
}
