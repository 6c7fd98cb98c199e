/** HQ of the demo: its service on a database of its own, and what people ask it. */
import type { ChildProcess } from 'node:child_process';
import type { Clock } from '../shared/runtime/clock.ts';
import { end, run, startService } from './child-process.ts';
import { type CuttableLink, openCuttableLink } from './cuttable-link.ts';
import { freePort } from './free-port.ts';
import type { StorePlan } from './stores.ts';

/** One hour of one sensor as HQ's SQL says it. */
export interface HqHour {
  /** ISO instant of the hour's start. */
  readonly start_time: string;
  readonly sensor_id: string;
  readonly total_in: number;
  readonly total_out: number;
}

const start_deadline_ms = 120_000;

export class Headquarters {
  /** Where gateways connect; goes over the link that can be cut. */
  readonly url: string;
  readonly link: CuttableLink;
  readonly #folder: string;
  readonly #service: ChildProcess;

  private constructor(folder: string, service: ChildProcess, link: CuttableLink) {
    this.#folder = folder;
    this.#service = service;
    this.link = link;
    this.url = `http://127.0.0.1:${link.port}`;
  }

  static async start(folder: string, clock: Clock): Promise<Headquarters> {
    const port = await freePort();
    const listen = ['--listen', `127.0.0.1:${port}`, '--heartbeat-grace-s', '15'];
    const service = startService('footbridge-hq', ['serve', '--data-dir', folder, ...listen]);
    await becomesReady(`http://127.0.0.1:${port}/readyz`, service, clock);
    return new Headquarters(folder, service, await openCuttableLink(port));
  }

  async addOrganization(slug: string): Promise<void> {
    await this.#run(['org', 'add', '--slug', slug, '--name', slug]);
  }

  /** Creates the store and its manager. @returns the token with which its gateway enrols. */
  async addStore({ organization, code, timezone, manager }: StorePlan): Promise<string> {
    const of = ['--org', organization];
    await this.#run([
      'store',
      'add',
      ...of,
      '--code',
      code,
      '--name',
      code,
      '--timezone',
      timezone,
    ]);
    const person = ['--email', manager, '--role', 'store_manager', '--store', code];
    await this.#run(['user', 'add', ...of, ...person]);
    const invited = await this.#run<{ token: string }>([
      'gateway',
      'invite',
      ...of,
      '--store',
      code,
    ]);
    return invited.token;
  }

  /** The hours of a store as one person sees them under row-level security. */
  async hours(store: StorePlan, person: string): Promise<HqHour[]> {
    const { organization, code } = store;
    const asked = ['report', 'hours', '--org', organization, '--store', code, '--as', person];
    return (await this.#run<{ hours: HqHour[] }>(asked)).hours;
  }

  async stop(): Promise<void> {
    await this.link.close();
    await end(this.#service, 'SIGTERM');
  }

  #run<T>(parameters: readonly string[]): Promise<T> {
    return run<T>('footbridge-hq', [...parameters, '--data-dir', this.#folder]);
  }
}

async function becomesReady(url: string, service: ChildProcess, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + start_deadline_ms;
  while (clock.monotonic() < deadline) {
    if (service.exitCode !== null)
      throw new Error(`HQ ended with ${service.exitCode} at its start`);
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok === true) return;
    await clock.sleep(100);
  }
  throw new Error(`HQ was not ready within ${start_deadline_ms / 1000} s`);
}
