/**
 * The few paths that the daemon answers, as JSON over HTTP. A framework stood here first; its schema
 * compilers alone held 15 of the gateway's 90 MB for a handful of requests a day.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { errorBodyOf } from '../../shared/runtime/error-answer.ts';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

/** What a handler may look at; a handler names what it expects, the daemon's own CLI sends it. */
interface Shape {
  Params?: unknown;
  Querystring?: unknown;
  Body?: unknown;
}
interface RouteRequest<S extends Shape> {
  /** `*`: what the path's star stands for, decoded. */
  readonly params: S['Params'];
  readonly query: S['Querystring'];
  readonly body: S['Body'];
}
type Handler<S extends Shape> = (request: RouteRequest<S>) => unknown;

interface Route {
  readonly method: string;
  /** The path, or what stands before its star. */
  readonly path: string;
  readonly hasStar: boolean;
  readonly handle: Handler<{ Params: never; Querystring: never; Body: never }>;
}

const body_bytes_max = 1024 * 1024;

export class Routes {
  readonly #routes: Route[] = [];
  readonly #server: Server = createServer(
    (request, response) => void this.#take(request, response),
  );

  get<S extends Shape>(path: string, handle: Handler<S>): void {
    this.#add('GET', path, handle);
  }

  post<S extends Shape = { Body: unknown }>(path: string, handle: Handler<S>): void {
    this.#add('POST', path, handle);
  }

  delete<S extends Shape>(path: string, handle: Handler<S>): void {
    this.#add('DELETE', path, handle);
  }

  listen(where: { path: string }): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject).listen(where, () => resolve());
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  #add(method: string, path: string, handle: unknown): void {
    const hasStar = path.endsWith('*');
    const known = hasStar ? path.slice(0, -1) : path;
    this.#routes.push({ method, path: known, hasStar, handle: handle as Route['handle'] });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let status = 200;
    let answer: unknown;
    try {
      answer = await this.#answer(request);
    } catch (error) {
      const known = error instanceof FootbridgeError;
      status = known ? 400 : 500;
      answer = errorBodyOf(known ? error : new FootbridgeError('internal', errorText(error)));
    }
    const written = Buffer.from(JSON.stringify(answer ?? {}));
    response.writeHead(status, {
      'content-type': 'application/json',
      'content-length': written.length,
    });
    response.end(written);
  }

  async #answer(request: IncomingMessage): Promise<unknown> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const route = this.#routes.find(
      ({ method, path, hasStar }) =>
        method === request.method && (hasStar ? pathname.startsWith(path) : pathname === path),
    );
    if (route === undefined) {
      throw new FootbridgeError('usage', `${request.method} ${pathname} is nothing to ask for`);
    }
    const body = await readJson(request);
    return route.handle({
      params: { '*': decodeURIComponent(pathname.slice(route.path.length)) } as never,
      query: Object.fromEntries(searchParams) as never,
      body: body as never,
    });
  }
}

/** @throws FootbridgeError usage */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > body_bytes_max) throw new FootbridgeError('usage', 'the body is too long');
    chunks.push(chunk);
  }
  if (length === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch (cause) {
    throw new FootbridgeError('usage', 'the body is no JSON', { cause });
  }
}
