/**
 * Devices that can only push over HTTP: a POST or PUT is a frame, and it is answered with 200 when
 * what it says is on disk, so that a device that repeats what was not answered loses nothing.
 *
 * Without a framework: there is no routing, and frameworks refuse the content types that counters
 * really send.
 */
import { once } from 'node:events';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { Access, type Login, type Visitor } from './access.ts';
import { boundedFrame } from './bounded-frame.ts';
import { DigestAccess } from './digest.ts';
import { credentialOf, deviceAddress } from './http-request.ts';
import { pushedBody, request_bytes_max } from './pushed-body.ts';
import { followCertificate } from './renewed-certificate.ts';
import type { Accept, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';
import { certifiedName, type ListenTls } from './tls.ts';

export interface HttpListenOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** `query:NAME` or `header:NAME` where the device names itself there; else its path is its name. */
  readonly device_id?: string | undefined;
  /** Read again while the source runs: certificates are renewed. */
  readonly tls?: (() => ListenTls) | undefined;
  readonly access?: Access;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

const rebind_ms = 5_000;
/** Requests that may wait for the disk; more are asked to come again. */
const pending_requests_max = 256;
const request_deadline_ms = 30_000;

export class HttpListenSource implements Source {
  readonly name: string;
  readonly #options: HttpListenOptions;
  readonly #outlet: SourceOutlet;
  readonly #access: Access;
  readonly #digest: DigestAccess;
  #server: Server | undefined;
  #pending = 0;
  #cancelRetry = () => {};
  #stopFollowing = () => {};
  #stopped = false;

  constructor(options: HttpListenOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('http-listen', options);
    this.#access = options.access ?? new Access({ allow_anonymous: true, users: [] });
    this.#digest = new DigestAccess(() => options.clock.monotonic());
  }

  async start(): Promise<void> {
    this.#listen();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    this.#stopFollowing();
    this.#outlet.stopped();
    if (this.#server?.listening !== true) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    // What waits for the disk is not answered: the device sends it again.
    this.#server.closeAllConnections();
    await closed;
  }

  status(): SourceStatus {
    return this.#outlet.status();
  }

  /** Sets which sensors have a login of their own. */
  setLogins(logins: readonly Login[]): void {
    this.#access.setSensors(logins);
  }

  /** The port that the operating system gave, for a configured port of 0. */
  get port(): number {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  #listen(): void {
    if (this.#stopped) return;
    const { host, port, tls, clock, log } = this.#options;
    const limits = {
      // Devices that speak HTTP/1.1 and forget the Host header exist.
      requireHostHeader: false,
      requestTimeout: request_deadline_ms,
      headersTimeout: request_deadline_ms,
      connectionsCheckingInterval: request_deadline_ms / 6,
    };
    const take = (request: IncomingMessage, response: ServerResponse) => {
      void this.#answer(request, response);
    };
    const server = tls === undefined ? createServer(limits, take) : this.#secure(tls, limits, take);
    this.#server = server;
    server.on('listening', () => this.#outlet.running());
    server.on('error', (error) => {
      const text = `cannot listen on ${host}:${port}: ${errorText(error)}`;
      if (this.#outlet.failing(text))
        log.warn({ source: this.name, detail: text }, 'source_unavailable');
      this.#cancelRetry = clock.after(rebind_ms, () => this.#listen());
    });
    // A device without a certificate, or with a wrong clock, would otherwise fail unseen.
    server.on('tlsClientError', (error) => {
      const who = `TLS handshake: ${errorText(error)}`;
      if (this.#outlet.refused(who)) log.warn({ source: this.name, detail: who }, 'device refused');
    });
    server.listen(port, host);
  }

  #secure(tls: () => ListenTls, limits: ServerOptions, take: RequestListener) {
    const shown = tls();
    const server = createTlsServer({ ...limits, ...shown }, take);
    this.#stopFollowing();
    this.#stopFollowing = followCertificate(server, shown, tls, this.#options.clock);
    return server;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    response.on('error', () => {});
    const status = await this.#take(request);
    if (status === 401) {
      response.setHeader('www-authenticate', [
        this.#digest.challenge(),
        'Basic realm="footbridge"',
      ]);
      // A device that is cut off while it still sends does not read what it is asked for.
      await readBody(request);
    }
    if (status === 405) response.setHeader('allow', 'POST, PUT');
    if (status === 503) response.setHeader('retry-after', '5');
    // What was not read ends with the connection.
    if (!request.complete) response.setHeader('connection', 'close');
    response.writeHead(status, { 'content-length': 0 }).end();
  }

  /** @returns the status of the answer. Never rejects. */
  async #take(request: IncomingMessage): Promise<number> {
    if (request.method !== 'POST' && request.method !== 'PUT') return 405;
    const address = deviceAddress(request, this.#options.device_id);
    const visitor = this.#visitor(request, address);
    if (visitor === null || !this.#access.maySpeak(visitor, address)) {
      const remote = request.socket.remoteAddress ?? 'somebody';
      if (this.#outlet.refused(`${remote} at ${address}: no login for it, or a wrong one`)) {
        this.#options.log.warn({ source: this.name, address, remote }, 'device refused');
      }
      return 401;
    }
    if (this.#pending >= pending_requests_max || this.#outlet.isFull) return 503;
    this.#pending += 1;
    try {
      return await this.#hand(address, request);
    } finally {
      this.#pending -= 1;
    }
  }

  async #hand(address: string, request: IncomingMessage): Promise<number> {
    const body = await readBody(request);
    if (body === 'lost') return 400;
    if (body === 'too_large') {
      const detail = `more than the ${request_bytes_max} bytes that are taken`;
      const bytes = new Uint8Array();
      await this.#outlet.hand({ address, bytes, fault: { reason: 'too_large', detail } });
      return 413;
    }
    const { 'content-type': type = '', 'content-encoding': encoding = '' } = request.headers;
    const pushed = pushedBody(body, type, encoding);
    if (pushed.kind === 'fault') {
      const fault = { reason: 'unreadable', detail: pushed.detail } as const;
      await this.#outlet.hand({ address, bytes: new Uint8Array(), fault });
      return 200;
    }
    await Promise.all(
      pushed.texts.map((bytes) => this.#outlet.hand(boundedFrame(address, bytes, false))),
    );
    return 200;
  }

  #visitor(request: IncomingMessage, address: string): Visitor | null {
    const certified = certifiedName(request.socket as TLSSocket);
    if (certified !== null) return this.#access.enterCertified(certified);
    const { authorization = '' } = request.headers;
    if (/^digest /i.test(authorization)) {
      const { method = '', url = '' } = request;
      const answer = this.#digest.read(authorization, method, url);
      return answer === null ? null : this.#access.enterDigest(answer);
    }
    const { username, secret } = credentialOf(request);
    if (username === undefined && secret !== undefined)
      return this.#access.enterAt(address, secret);
    return this.#access.enter(username, secret);
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array | 'too_large' | 'lost'> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > request_bytes_max) return 'too_large';
      chunks.push(chunk);
    }
    return request.complete ? Buffer.concat(chunks) : 'lost';
  } catch {
    return 'lost';
  }
}
