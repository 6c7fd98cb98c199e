/** What stands before HQ in a company: TLS of a private authority, and a certificate asked of each gateway. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Certificates } from './certificates.ts';
import type { Workspace } from './workspace.ts';

export interface TlsFront {
  readonly url: string;
  /** Common names of those who came. */
  readonly names: Set<string>;
  /** When each heartbeat came, on the monotonic clock. */
  readonly heartbeats: number[];
}

export async function tlsFront(
  workspace: Workspace,
  hq_url: string,
  made: Certificates,
): Promise<TlsFront> {
  const names = new Set<string>();
  const heartbeats: number[] = [];
  const trust = { ...made.trust, requestCert: true, rejectUnauthorized: true };
  const own = { cert: readFileSync(made.server.cert), key: readFileSync(made.server.key) };
  const server = https.createServer({ ...own, ...trust }, (request, answer) => {
    names.add(String((request.socket as TLSSocket).getPeerCertificate().subject.CN));
    const { method, url: path, headers } = request;
    if (path === '/v1/heartbeats') heartbeats.push(performance.now());
    const asked = http.request(new URL(path ?? '/', hq_url), { method, headers }, (told) => {
      answer.writeHead(told.statusCode ?? 0, told.headers);
      told.pipe(answer);
    });
    asked.on('error', () => answer.destroy());
    request.pipe(asked);
  });
  // As HQ itself keeps them.
  server.keepAliveTimeout = 72_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  workspace.onEnd(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, names, heartbeats };
}
