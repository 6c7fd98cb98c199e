/**
 * The line between a store and HQ, at the level of HTTP: it can be cut, fall silent without closing,
 * crawl, repeat and reorder what it carries, and give answers that HQ never gave.
 */
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';

/** What happens to each request while it lasts. */
export type Weather = 'fair' | 'cut' | 'slow' | 'lying' | 'repeating';

interface Carried {
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

type Lie = (
  askHq: () => Promise<Answer>,
  answer: http.ServerResponse,
  stale: string,
) => Promise<void>;

const clock = systemClock;
const slow_ms = 1_500;
/** Requests remembered, to be delivered once more long after their time. */
const remembered_max = 50;

/** How far HQ was told that an epoch reaches: at least, and at most. */
interface Told {
  readonly sure: number;
  readonly most: number;
}

export class HqLine {
  readonly #target_port: number;
  readonly #random: () => number;
  readonly #server = http.createServer((request, answer) => void this.#carry(request, answer));
  readonly #sockets = new Set<Socket>();
  /** Connections on which nothing is answered any more. */
  readonly #silent = new Set<Socket>();
  readonly #batches: Carried[] = [];
  readonly #answered = new Set<Carried>();
  readonly #told = new Map<string, Told>();
  /** Requests on their way. */
  #carrying = 0;
  /** What HQ answered last to some batch: a cache on the way may show it to another. */
  #stale = '';
  #weather: Weather = 'fair';

  /** @param target_port where HQ listens, on 127.0.0.1. */
  constructor(target_port: number, random: () => number) {
    this.#target_port = target_port;
    this.#random = random;
    this.#server.on('connection', (socket) => this.#admit(socket));
  }

  /** @returns the port for the gateway, on 127.0.0.1. */
  async open(): Promise<number> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return (this.#server.address() as AddressInfo).port;
  }

  become(weather: Weather): void {
    this.#weather = weather;
    if (weather !== 'cut') return;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Half-open: of what is connected now nothing comes back, and nobody is told. */
  fallSilent(): void {
    for (const socket of this.#sockets) this.#silent.add(socket);
  }

  /** Nothing is on its way between the store and HQ any more. */
  async quiet(): Promise<void> {
    while (this.#carrying > 0) await clock.sleep(5);
  }

  /** Only batches that HQ has answered come again. */
  forgetUnanswered(): void {
    const answered = this.#batches.filter((batch) => this.#answered.has(batch));
    this.#batches.splice(0, this.#batches.length, ...answered);
  }

  /** What heartbeats said of an epoch, by the sequences it reaches to. */
  told(epoch: string): Told {
    return this.#told.get(epoch) ?? { sure: 0, most: 0 };
  }

  /** Delivers batches of the past once more, several at once and in any order. */
  async deliverAgain(): Promise<void> {
    const again = this.#batches.filter(() => this.#random() < 0.5);
    const shuffled = again
      .map((batch) => ({ batch, place: this.#random() }))
      .sort((a, b) => a.place - b.place);
    await Promise.allSettled(shuffled.map(({ batch }) => this.#ask(batch)));
  }

  async close(): Promise<void> {
    this.become('cut');
    this.#server.close();
    await once(this.#server, 'close');
  }

  #admit(socket: Socket): void {
    if (this.#weather === 'cut') {
      socket.resetAndDestroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#silent.delete(socket);
    });
  }

  async #carry(request: http.IncomingMessage, answer: http.ServerResponse): Promise<void> {
    answer.on('error', () => {});
    this.#carrying += 1;
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const { url: path = '/', headers, socket } = request;
      const carried = { path, headers, body: Buffer.concat(chunks) };
      // A line that died before the request: it lies in a dead modem's memory.
      if (this.#silent.has(socket)) return;
      if (path === '/v1/batches') this.#remember(carried);
      await this.#pass(carried, socket, answer);
    } catch {
      // HQ is away, or the store has gone: what a cut line shows.
      request.socket.destroy();
    } finally {
      this.#carrying -= 1;
    }
  }

  async #pass(carried: Carried, socket: Socket, answer: http.ServerResponse): Promise<void> {
    if (this.#weather === 'lying') {
      const lie = lies[Math.floor(this.#random() * lies.length)];
      await lie?.(() => this.#ask(carried), answer, this.#stale);
      return;
    }
    if (this.#weather === 'slow') await clock.sleep(this.#random() * slow_ms);
    if (this.#weather === 'repeating') void this.#ask(carried).catch(() => {});
    const told = await this.#ask(carried);
    if (this.#weather === 'slow') await clock.sleep(this.#random() * slow_ms);
    if (told.status === 200 && carried.path === '/v1/batches') this.#stale = told.body;
    // A line that died after the request: HQ has it, the store does not know.
    if (!this.#silent.has(socket)) tell(answer, told);
  }

  #remember(batch: Carried): void {
    this.#batches.push(batch);
    if (this.#batches.length > remembered_max) this.#batches.shift();
  }

  async #ask(carried: Carried): Promise<Answer> {
    this.#carrying += 1;
    try {
      this.#note(carried, 'most');
      const answer = await this.#exchange(carried);
      if (answer.status === 200) this.#note(carried, 'sure');
      return answer;
    } finally {
      this.#carrying -= 1;
    }
  }

  #note(carried: Carried, what: keyof Told): void {
    if (carried.path === '/v1/batches' && what === 'sure') this.#answered.add(carried);
    if (carried.path !== '/v1/heartbeats') return;
    const { epochs = [] } = JSON.parse(carried.body.toString()) as Partial<Heartbeat>;
    for (const { epoch, last_sequence } of epochs) {
      const told = this.told(epoch);
      this.#told.set(epoch, { ...told, [what]: Math.max(told[what], last_sequence) });
    }
  }

  async #exchange({ path, headers, body }: Carried): Promise<Answer> {
    const asked = http.request({
      createConnection: () => connect(this.#target_port, '127.0.0.1'),
      path,
      method: 'POST',
      headers: { ...headers, connection: 'close' },
    });
    asked.end(body);
    const [told] = (await once(asked, 'response')) as [http.IncomingMessage];
    return { status: told.statusCode ?? 0, headers: told.headers, body: await text(told) };
  }
}

/** Answers that HQ never gave; each must be a reason to ask again, and no more. */
const lies: readonly Lie[] = [
  async (_ask, answer) => {
    answer.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Free Wi-Fi: log in</h1>');
  },
  async (ask, answer) => {
    await ask();
    answer.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  },
  async (_ask, answer, stale) => {
    answer.writeHead(200, { 'content-type': 'application/json' }).end(stale);
  },
  async (ask, answer) => {
    await ask();
    answer.writeHead(500).end('Internal Server Error');
  },
  async (_ask, answer) => {
    answer.writeHead(400, { 'content-type': 'text/html' }).end('<h1>Bad Request</h1>');
  },
  async (ask, answer) => {
    const { body } = await ask();
    answer.writeHead(200, { 'content-length': Buffer.byteLength(body) });
    answer.write(body.slice(0, body.length / 2), () => answer.destroy());
  },
];

function tell(answer: http.ServerResponse, { status, headers, body }: Answer): void {
  const retry_after = headers['retry-after'];
  const named = retry_after === undefined ? {} : { 'retry-after': retry_after };
  answer.writeHead(status, { 'content-type': 'application/json', ...named }).end(body);
}
