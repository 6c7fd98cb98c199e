/** An HQ that takes everything at once, and looks only at which readings it was given. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import type { Credential } from '../gateway/sync/credential.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Batch, type BatchAnswer, backlog_lanes_max } from '../shared/wire/batch.ts';

const clock = systemClock;
const look_every_ms = 20;

export class AcceptingHq {
  readonly credential: Credential;
  readonly #server: Server;
  /** Of each sequence of the backlog, how often it came. */
  readonly #seen: Uint8Array;
  taken = 0;

  private constructor(server: Server, rows: number) {
    this.#server = server;
    this.#seen = new Uint8Array(rows + 1);
    const { port } = server.address() as AddressInfo;
    this.credential = {
      hq_url: `http://127.0.0.1:${port}`,
      gateway_id: clock.uuid(),
      credential_id: clock.uuid(),
      secret: 'none',
      organization: 'acme',
      store: 'mad-1',
      timezone: 'Europe/Madrid',
    };
    server.on('request', async (request: IncomingMessage, response) => {
      const body = await buffer(request);
      if (request.url === '/v1/heartbeats') {
        response.end(JSON.stringify({ server_time: clock.now() }));
        return;
      }
      if (request.url !== '/v1/batches') {
        response.writeHead(503).end();
        return;
      }
      response.end(JSON.stringify(this.#take(JSON.parse(gunzipSync(body).toString()) as Batch)));
    });
  }

  /** @param rows sequences of the backlog; what comes above is new. */
  static async open(rows: number): Promise<AcceptingHq> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new AcceptingHq(server, rows);
  }

  /** Resolves when so many readings of the backlog have come. */
  async until(rows: number): Promise<void> {
    while (this.taken < rows) await clock.sleep(look_every_ms);
  }

  get twice(): number {
    return this.#seen.reduce((sum, times) => sum + Math.max(0, times - 1), 0);
  }

  get never(): number {
    return this.#seen.subarray(1).reduce((sum, times) => sum + (times === 0 ? 1 : 0), 0);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #take({ batch_id, counts: { sequence } }: Batch): BatchAnswer {
    for (const one of sequence) {
      if (one >= this.#seen.length) continue;
      this.#seen[one] = (this.#seen[one] ?? 0) + 1;
      this.taken += 1;
    }
    const backlog = { in_flight: backlog_lanes_max, pause_ms: 0 };
    const accepted = sequence.length;
    return { batch_id, accepted, duplicate: 0, rejected: [], ack_sequence: 0, backlog };
  }
}
