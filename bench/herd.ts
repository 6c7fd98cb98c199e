/**
 * The morning after: a thousand gateways come back within seconds, each with a day of readings, and
 * go on counting. They run the gateway's own lanes on a buffer in memory; HQ is the real service.
 */

import { HqClient, type HqRequest } from '../gateway/sync/hq-client.ts';
import type { HttpAnswer } from '../gateway/sync/outcome.ts';
import { SyncLoop } from '../gateway/sync/sync-loop.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { silentLog } from '../shared/runtime/log.ts';
import { DayBuffer, sensors_each } from './day-buffer.ts';
import { type Headquarters, openHeadquarters } from './headquarters.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const gateways = 1_000;
/** Full jitter: all of them send their first batch within this time. */
const reconnect_within_ms = 10_000;
const rows_max = 1_000;
const drain_deadline_ms = 200_000;

export async function measure(): Promise<Measured> {
  const hq = await openHeadquarters();
  const herd: { client: TimedClient; buffer: DayBuffer; sync: SyncLoop }[] = [];
  try {
    for (let i = 0; i < gateways; i += 1) {
      const { credential } = await hq.addGateway(`store-${i}`);
      const client = new TimedClient(hq.url, clock);
      const buffer = new DayBuffer(clock, i);
      const timing = { send_interval_ms: reconnect_within_ms, retry_max_ms: 60_000, rows_max };
      const sync = new SyncLoop({ buffer, client, credential, ...timing, clock, log: silentLog });
      herd.push({ client, buffer, sync });
    }
    const start = clock.monotonic();
    for (const { sync } of herd) sync.start();
    while (herd.some(({ buffer }) => !buffer.isDrained)) {
      await clock.sleep(200);
      if (clock.monotonic() - start > drain_deadline_ms) break;
    }
    const drained_s = (clock.monotonic() - start) / 1000;
    await Promise.all(herd.map(({ sync }) => sync.stop()));
    return await verdict(hq, herd, drained_s);
  } finally {
    for (const { client } of herd) client.close();
    await hq.close();
  }
}

async function verdict(
  hq: Headquarters,
  herd: readonly { client: TimedClient; buffer: DayBuffer }[],
  drained_s: number,
): Promise<Measured> {
  const settled = herd.reduce((sum, { buffer }) => sum + buffer.settled_rows, 0);
  const left = herd.reduce((sum, { buffer }) => sum + buffer.backlog_left, 0);
  const [found] = await hq.asOwner<{ rows: number }>(
    'select count(*)::float8 as rows from public.people_counting_raw',
  );
  const [twice] = await hq.asOwner<{ doubled: number }>(
    `select coalesce(sum(n - 1), 0)::float8 as doubled from (select count(*) as n
       from public.people_counting_raw group by gateway_id, gateway_sequence having count(*) > 1) d`,
  );
  const live = herd.flatMap(({ client }) => client.live_s).sort((a, b) => a - b);
  const statuses = await statusesOf(hq.url);
  const of = (first: string) =>
    [...statuses].reduce((sum, [status, n]) => (status.startsWith(first) ? sum + n : sum), 0);
  const document = {
    gateways,
    rows: settled,
    drained_s: round2(drained_s),
    http_5xx: of('5'),
    http_429: of('429'),
    live_p50_s: round2(live[Math.floor(live.length * 0.5)] ?? Number.NaN),
    live_p99_s: round2(live[Math.floor(live.length * 0.99)] ?? Number.NaN),
    // What HQ acknowledged and does not have; a batch whose answer was never heard may stand there.
    lost: Math.max(0, settled - (found?.rows ?? 0)),
    doubled: twice?.doubled ?? Number.NaN,
    left_in_stores: left,
  };
  return {
    document,
    lines: [
      `${gateways} gateways with a day of ${sensors_each} sensors each, back within ${reconnect_within_ms / 1000} s`,
      `${settled} readings settled in ${document.drained_s} s, ${left} of the backlog left (limit 0)`,
      `answers 5xx ${document.http_5xx} (limit 0), 429 ${document.http_429}`,
      `live batches: p50 ${document.live_p50_s} s, p99 ${document.live_p99_s} s (limit 2)`,
      `lost ${document.lost}, doubled ${document.doubled} (limit 0)`,
    ],
  };
}

/** Answers of HQ by status, from its own metrics. */
async function statusesOf(url: string): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/^hq_http_requests_total\{[^}]*status="(\d+)"\} (\d+)$/gm);
  const statuses = new Map<string, number>();
  for (const [, status = '', n] of lines) {
    statuses.set(status, (statuses.get(status) ?? 0) + Number(n));
  }
  return statuses;
}

/** Times live batches from the first try to the answer that settles them, refusals included. */
class TimedClient extends HqClient {
  readonly live_s: number[] = [];
  #tried_at: number | null = null;

  override async post(request: HqRequest, stopped?: AbortSignal): Promise<HttpAnswer> {
    if (request.lane !== 'live') return super.post(request, stopped);
    this.#tried_at ??= clock.monotonic();
    const answer = await super.post(request, stopped);
    if (answer.status === 200) {
      this.live_s.push((clock.monotonic() - this.#tried_at) / 1000);
      this.#tried_at = null;
    }
    return answer;
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
