/**
 * A real S3-compatible server in this process, with one bucket. It takes any signature, so a door
 * before it checks them, and the checksum of what is sent, as the stores in the field do.
 */
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import S3rver from 's3rver';
import type { BucketSettings } from '../../cloud-sync/config.ts';
import { signatureFault } from './aws-signature.ts';

export interface S3Server {
  readonly settings: BucketSettings;
  /** `METHOD /path` of each request, in order. */
  readonly asked: string[];
  /** Changes the first byte of bodies, on their way in (PUT) or out (GET), of requests like this. */
  bend(pattern: RegExp | undefined): void;
  close(): Promise<void>;
}

export async function openS3Server(bucket: string): Promise<S3Server> {
  const directory = await mkdtemp(path.join(tmpdir(), 'footbridge-s3-'));
  const server = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  const { port } = (await server.run()) as AddressInfo;
  const asked: string[] = [];
  let bent: RegExp | undefined;
  const bend = (line: string, body: Buffer) => {
    if (bent?.test(line) === true && body.length > 0) body[0] = (body[0] ?? 0) ^ 1;
  };
  const secret_access_key = 'S3RVER';
  const door = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', headers } = incoming;
    const line = `${method} ${url}`;
    asked.push(line);
    const body = await buffer(incoming);
    if (method === 'PUT') bend(line, body);
    const fault = signatureFault(secret_access_key, { method, url, headers }, body);
    if (fault !== undefined) return refuse(outgoing, fault);
    const onward = request({ port, host: '127.0.0.1', method, path: url, headers });
    onward.end(body);
    const [answer] = await once(onward, 'response');
    const content = await buffer(answer);
    if (method === 'GET') bend(line, content);
    outgoing.writeHead(answer.statusCode, answer.headers).end(content);
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  return {
    settings: {
      endpoint: `http://127.0.0.1:${(door.address() as AddressInfo).port}`,
      region: 'us-east-1',
      access_key_id: 'S3RVER',
      secret_access_key,
      session_token: undefined,
    },
    asked,
    bend(pattern) {
      bent = pattern;
    },
    async close() {
      door.closeAllConnections();
      door.close();
      await server.close();
      await rm(directory, { recursive: true });
    },
  };
}

function refuse(outgoing: ServerResponse, code: string): void {
  outgoing.writeHead(403).end(`<Error><Code>${code}</Code></Error>`);
}
