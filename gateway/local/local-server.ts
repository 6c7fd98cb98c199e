/**
 * The daemon's Unix socket: what the CLI speaks to. Whoever may open the socket file may use it, so
 * the file's mode is the access control.
 */
import { rmSync } from 'node:fs';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { CommissioningRecord } from '../../shared/wire/commissioning.ts';
import type { QuarantineRow } from '../buffer/entry.ts';
import type { Crossings } from '../meters/tally.ts';
import type { Found } from '../pairing/discovery.ts';
import type { Scans } from '../pairing/scans.ts';
import type { Sensor } from '../pairing/sensor.ts';
import type { GatewayStatus, SensorStatus } from '../status.ts';
import { Routes } from './routes.ts';
import type { WalkTestStatus } from './walk-tests.ts';

/** What the daemon lets the CLI do. */
export interface LocalActions {
  status(): Promise<GatewayStatus>;
  quarantine(limit: number): Promise<QuarantineRow[]>;
  discovered(): Promise<Found[]>;
  readonly scans: Pick<Scans, 'bus' | 'network' | 'line'>;
  counts(sensor_id: string): Crossings & { readonly inside: number | null };
  sensor(sensor_id: string): Sensor;
  pair(sensor: unknown, isReplaced: boolean): SensorStatus;
  pairAll(sensors: readonly unknown[]): SensorStatus[];
  unpair(sensor_id: string): void;
  beginWalkTest(request: unknown): WalkTestStatus;
  walkTest(): WalkTestStatus | null;
  finishWalkTest(ended: unknown): CommissioningRecord;
  giveUpWalkTest(): void;
}

const quarantine_rows_default = 50;

export class LocalServer implements Part {
  readonly name = 'local';
  readonly #path: string;
  readonly #server = new Routes();

  constructor(path: string, actions: LocalActions) {
    this.#path = path;
    this.#server.get('/status', () => actions.status());
    this.#server.get<{ Querystring: { limit?: string } }>('/quarantine', (request) =>
      actions.quarantine(Number(request.query.limit ?? quarantine_rows_default)),
    );
    this.#server.post<{ Querystring: { replaced?: string }; Body: unknown }>(
      '/sensors',
      (request) => actions.pair(request.body, request.query.replaced !== undefined),
    );
    this.#server.post<{ Body: { sensors: unknown[] } }>('/sensors/import', ({ body }) =>
      actions.pairAll(body.sensors),
    );
    this.#server.post('/walk-test', ({ body }) => actions.beginWalkTest(body));
    this.#server.get('/walk-test', () => ({ test: actions.walkTest() }));
    this.#server.delete('/walk-test', () => {
      actions.giveUpWalkTest();
      return {};
    });
    this.#server.post('/walk-test/finish', ({ body }) => actions.finishWalkTest(body));
    this.#server.get<{ Params: { '*': string } }>('/counts/*', (request) =>
      actions.counts(request.params['*']),
    );
    this.#server.post('/discovery/bus', async ({ body }) => ({
      units: await actions.scans.bus(body),
    }));
    this.#server.post('/discovery/network', async ({ body }) => ({
      devices: await actions.scans.network(body),
    }));
    this.#server.post('/discovery/line', async ({ body }) => ({
      units: await actions.scans.line(body),
    }));
    this.#server.get('/discovery', async () => ({ devices: await actions.discovered() }));
    this.#server.get<{ Params: { '*': string } }>('/sensors/*', (request) =>
      actions.sensor(request.params['*']),
    );
    this.#server.delete<{ Params: { '*': string } }>('/sensors/*', (request) => {
      actions.unpair(request.params['*']);
      return {};
    });
  }

  /** The buffer's lock has proved that no other daemon runs, so a socket file left over is dead. */
  async start(): Promise<void> {
    rmSync(this.#path, { force: true });
    // The file is there within this call, with its rights: a chmod after it would leave a moment open.
    const umask = process.umask(0o117);
    const listening = this.#server.listen({ path: this.#path });
    process.umask(umask);
    await listening;
  }

  async stop(): Promise<void> {
    await this.#server.close();
    rmSync(this.#path, { force: true });
  }
}
