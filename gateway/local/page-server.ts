/**
 * The store's page: is it counting, how many, who is silent. It reads and changes nothing; it loads
 * nothing from elsewhere; counting goes on without it.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { fileURLToPath } from 'node:url';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { metrics_content_type } from '../../shared/runtime/prometheus.ts';
import { isOwnHost, type PinLock } from './page-access.ts';
import type { PageState } from './page-state.ts';

export interface PageStatus {
  /** Where it can be opened, or null. */
  readonly url: string | null;
  /** Why it cannot, or null. */
  readonly error: string | null;
}

export interface PageServerOptions {
  readonly host: string;
  readonly port: number;
  /** Name of this machine. */
  readonly hostname: string;
  readonly lock: PinLock | null;
  readonly state: () => Promise<PageState>;
  /** In the text format of Prometheus. */
  readonly metrics: () => Promise<string>;
  readonly clock: Clock;
  readonly log: Log;
}

const rebind_ms = 30_000;
/** A walk below a sensor must show at once; a page that nobody has open costs nothing. */
const push_every_ms = 500;
/** More phones than a store has people who look at this. */
const watchers_max = 16;
const cookie = 'footbridge-page';
const cookie_s = 365 * 24 * 60 * 60;

const headers = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; " +
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

export class PageServer implements Part {
  readonly name = 'page';
  readonly #options: PageServerOptions;
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  /** Made at the first look: the framework takes 15 MB, and most pages are never opened. */
  #app: Promise<FastifyInstance> | undefined;
  readonly #watchers = new Set<ServerResponse>();
  #cancelPush = () => {};
  #cancelRetry = () => {};
  #stopped = false;
  /** Why nobody can open it, or null. */
  #error: string | null = null;

  constructor(options: PageServerOptions) {
    this.#options = options;
  }

  /** A taken port is a fault of the page alone: it waits and tries again. */
  async start(): Promise<void> {
    const { host, port, clock, log } = this.#options;
    const server = this.#server;
    const listen = () => {
      if (!this.#stopped) server.listen(port, host);
    };
    server.on('listening', () => {
      this.#error = null;
      log.info({ url: this.url }, 'page');
    });
    server.on('error', (error) => {
      this.#error = errorText(error);
      log.warn({ detail: `${host}:${port}: ${this.#error}` }, 'the page cannot be opened');
      this.#cancelRetry = clock.after(rebind_ms, listen);
    });
    listen();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelRetry();
    this.#cancelPush();
    for (const watcher of this.#watchers) watcher.end();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await (await this.#app)?.close();
  }

  status(): PageStatus {
    return { url: this.url, error: this.#error };
  }

  /** Where the page can be opened, or null while its port is taken. */
  get url(): string | null {
    const address = this.#server.address();
    if (address === null || typeof address === 'string') return null;
    return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}/`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#app ??= this.#newApp();
    (await this.#app).routing(request, response);
  }

  async #newApp(): Promise<FastifyInstance> {
    const { hostname } = this.#options;
    const { default: Fastify } = await import('fastify');
    const server = Fastify({ logger: false, bodyLimit: 1024 });
    server.addHook('onRequest', async (request, reply) => {
      reply.headers(headers);
      if (!isOwnHost(request.headers.host, hostname))
        return reply.code(421).send('not this host\n');
      if (request.headers['sec-fetch-site'] === 'cross-site' && request.url !== '/') {
        return reply.code(403).send('not from another site\n');
      }
      return undefined;
    });
    const type = 'application/x-www-form-urlencoded';
    server.addContentTypeParser(type, { parseAs: 'string' }, (_request, body, done) => {
      done(null, Object.fromEntries(new URLSearchParams(body as string)));
    });
    const files = pageFiles();
    server.get('/', (request, reply) => {
      reply.type('text/html; charset=utf-8');
      return this.#mayEnter(request) ? files.page : files.pin;
    });
    server.get('/page.css', (_request, reply) =>
      reply.type('text/css; charset=utf-8').send(files.css),
    );
    server.get('/page.js', (_request, reply) => {
      return reply.type('text/javascript; charset=utf-8').send(files.script);
    });
    server.post('/pin', (request, reply) => this.#enter(request, reply, files.pin));
    server.get('/events', (request, reply) => this.#watch(request, reply));
    server.get('/state', (request, reply) => {
      if (!this.#mayEnter(request)) return reply.code(401).send({ error: 'pin' });
      return this.#options.state();
    });
    server.get('/metrics', async (request, reply) => {
      if (!this.#mayEnter(request) && !this.#maySample(request)) {
        return reply.code(401).header('www-authenticate', 'Basic').send();
      }
      return reply.type(metrics_content_type).send(await this.#options.metrics());
    });
    server.setNotFoundHandler((_request, reply) => reply.code(404).send('nothing here\n'));
    await server.ready();
    return server;
  }

  #mayEnter(request: FastifyRequest): boolean {
    const { lock } = this.#options;
    if (lock === null) return true;
    const cookies = (request.headers.cookie ?? '').split(/; */);
    const token = cookies.find((each) => each.startsWith(`${cookie}=`))?.slice(cookie.length + 1);
    return lock.knows(token);
  }

  /** Prometheus has no cookie: the PIN is its password, whatever its name. */
  #maySample(request: FastifyRequest): boolean {
    const [, basic] = /^Basic (\S+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (basic === undefined) return false;
    const pin = Buffer.from(basic, 'base64')
      .toString()
      .replace(/^[^:]*:/, '');
    return this.#options.lock?.knows(this.#options.lock.enter(pin) ?? undefined) ?? false;
  }

  #enter(request: FastifyRequest, reply: FastifyReply, form: string): FastifyReply {
    const { pin = '' } = (request.body ?? {}) as { pin?: string };
    const token = this.#options.lock?.enter(pin.trim());
    if (token === undefined) return reply.redirect('/', 303);
    if (token !== null && token !== 'later') {
      const attributes = `Path=/; Max-Age=${cookie_s}; HttpOnly; SameSite=Strict`;
      return reply.header('set-cookie', `${cookie}=${token}; ${attributes}`).redirect('/', 303);
    }
    const why = token === null ? 'This is not the PIN.' : 'Too many wrong PINs. Wait a minute.';
    reply.code(token === null ? 403 : 429).type('text/html; charset=utf-8');
    return reply.send(form.replace('<!--why-->', why));
  }

  #watch(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    if (!this.#mayEnter(request)) return reply.code(401).send();
    if (this.#watchers.size >= watchers_max) return reply.code(503).send();
    reply.hijack();
    const { raw } = reply;
    raw.writeHead(200, { ...headers, 'content-type': 'text/event-stream' });
    this.#watchers.add(raw);
    raw.on('close', () => this.#watchers.delete(raw));
    this.#cancelPush();
    void this.#push();
    return reply;
  }

  /** One look at the gateway serves everybody who watches. */
  async #push(): Promise<void> {
    if (this.#stopped || this.#watchers.size === 0) return;
    const { state, clock, log } = this.#options;
    try {
      const event = `data: ${JSON.stringify(await state())}\n\n`;
      for (const watcher of this.#watchers) {
        // A phone that went out of reach reads nothing: what it missed is old.
        if (watcher.writableLength === 0) watcher.write(event);
      }
    } catch (error) {
      log.warn({ detail: errorText(error) }, 'the page has no state');
    }
    this.#cancelPush();
    this.#cancelPush = clock.after(push_every_ms, () => void this.#push());
  }
}

/** Document and style lie in the package beside the sources, the script where it is compiled to. */
function pageFiles() {
  const beside = (name: string) => new URL(`../../../gateway/local/page/${name}`, import.meta.url);
  const read = (url: URL) => readFileSync(fileURLToPath(url), 'utf8');
  return {
    page: read(beside('page.html')),
    pin: read(beside('pin.html')),
    css: read(beside('page.css')),
    script: read(new URL('./page/page.js', import.meta.url)).replace(
      /\/\/# sourceMappingURL.*/,
      '',
    ),
  };
}
