/** Signature Version 4 as a store checks it; AWS's description of it, S3 API reference. */
import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What is wrong with a request, by S3's own code; undefined when it is signed by who holds the secret. */
export function signatureFault(
  secret: string,
  request: { method: string; url: string; headers: IncomingHttpHeaders },
  body: Buffer,
): 'AccessDenied' | 'SignatureDoesNotMatch' | 'XAmzContentSHA256Mismatch' | undefined {
  const { headers } = request;
  const authorization = headers.authorization ?? '';
  const [, scope = '', names = '', signature] =
    /Credential=[^/]+\/([^,]+),\s*SignedHeaders=([^,]+),\s*Signature=(\w+)/.exec(authorization) ??
    [];
  if (signature === undefined) return 'AccessDenied';
  const { pathname, searchParams } = new URL(request.url, 'http://store');
  searchParams.sort();
  const promised = String(headers['x-amz-content-sha256']);
  const canonical = [
    request.method,
    pathname,
    searchParams.toString(),
    ...names.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    promised,
  ].join('\n');
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = scope.split('/').reduce<Buffer | string>(hmac, `AWS4${secret}`);
  if (hmac(key, text).toString('hex') !== signature) return 'SignatureDoesNotMatch';
  const unsigned = promised === 'UNSIGNED-PAYLOAD' && body.length === 0;
  return unsigned || sha256(body) === promised ? undefined : 'XAmzContentSHA256Mismatch';
}

function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

function hmac(key: string | Buffer, data: string): Buffer {
  return createHmac('sha256', key).update(data).digest();
}
