/**
 * A store's line of the kind that a 2G modem makes: an HTTP proxy, which knows nothing but CONNECT, and
 * behind it so many bytes a second each way, with the delay, the queue and the stalls of such a modem.
 */
import http from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Workspace } from './workspace.ts';

export interface Narrowness {
  readonly up_bytes_per_s: number;
  readonly down_bytes_per_s: number;
  /** One way. */
  readonly delay_ms: number;
  /** Share of packets that are lost and come again after `repeat_ms`, everything behind them waiting. */
  readonly loss: number;
  readonly repeat_ms: number;
}

/** GPRS with two slots up and four down, on a bad day. */
export const two_g: Narrowness = {
  up_bytes_per_s: 3_000,
  down_bytes_per_s: 6_000,
  delay_ms: 300,
  loss: 0.02,
  repeat_ms: 1_500,
};

const packet_bytes = 1_400;
/** What a modem keeps before it lets the sender wait. */
const queue_bytes_max = 16_384;
const clock = systemClock;

export class NarrowLine {
  readonly #login: string;
  readonly #line: Narrowness;
  readonly #random: () => number;
  readonly #server = http.createServer((_request, answer) => answer.writeHead(405).end());
  readonly #tunnels = new Set<Socket>();
  #up_free_at = 0;
  #down_free_at = 0;
  #isCut = false;
  /** Whom it was asked to reach. */
  readonly asked: string[] = [];
  carried_up_bytes = 0;

  constructor(login: string, line: Narrowness, random: () => number) {
    this.#login = `Basic ${Buffer.from(login).toString('base64')}`;
    this.#line = line;
    this.#random = random;
    this.#server.on('connect', (request, near: Socket) => this.#tunnel(request, near));
  }

  /** @returns the proxy's address. */
  async open(workspace: Workspace): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    workspace.onEnd(() => {
      this.cut();
      this.#server.close();
    });
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    this.#isCut = true;
    for (const socket of this.#tunnels) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  #tunnel(request: http.IncomingMessage, near: Socket): void {
    near.on('error', () => {});
    if (this.#isCut) {
      near.destroy();
      return;
    }
    if (request.headers['proxy-authorization'] !== this.#login) {
      near.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
      return;
    }
    const target = new URL(`http://${request.url}`);
    this.asked.push(target.host);
    const far = connect(Number(target.port), target.hostname, () => {
      near.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      // Whoever ends, ends both; what was on its way is lost.
      this.#carry(near, far, (bytes) => this.#upTurn(bytes)).catch(() => {});
      this.#carry(far, near, (bytes) => this.#downTurn(bytes)).catch(() => {});
    });
    for (const socket of [near, far]) {
      this.#tunnels.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#tunnels.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  }

  /** Packet by packet, in order; a lost one holds up what is behind it in its tunnel. */
  async #carry(from: Socket, to: Socket, turn: (bytes: number) => number): Promise<void> {
    let queued_bytes = 0;
    let lost_until = 0;
    let arrival: Promise<void> = Promise.resolve();
    for await (const chunk of from as AsyncIterable<Buffer>) {
      for (let at = 0; at < chunk.length; at += packet_bytes) {
        const packet = chunk.subarray(at, at + packet_bytes);
        const sent_at = turn(packet.length);
        if (this.#random() < this.#line.loss) lost_until = sent_at + this.#line.repeat_ms;
        const due_at = Math.max(sent_at, lost_until) + this.#line.delay_ms;
        queued_bytes += packet.length;
        const before = arrival;
        arrival = (async () => {
          await clock.sleep(due_at - clock.monotonic());
          await before;
          queued_bytes -= packet.length;
          if (!to.destroyed) to.write(packet);
        })();
      }
      while (queued_bytes > queue_bytes_max && !to.destroyed) await clock.sleep(20);
    }
    await arrival;
    to.end();
  }

  /** @returns when the packet has left, on the monotonic clock: all tunnels share the line. */
  #upTurn(bytes: number): number {
    this.carried_up_bytes += bytes;
    const begin = Math.max(this.#up_free_at, clock.monotonic());
    this.#up_free_at = begin + (bytes / this.#line.up_bytes_per_s) * 1000;
    return this.#up_free_at;
  }

  #downTurn(bytes: number): number {
    const begin = Math.max(this.#down_free_at, clock.monotonic());
    this.#down_free_at = begin + (bytes / this.#line.down_bytes_per_s) * 1000;
    return this.#down_free_at;
  }
}
