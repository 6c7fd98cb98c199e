/**
 * The morning after: a thousand gateways come back within seconds, each with a day of readings, and
 * go on counting. They run the gateway's own lanes on a buffer in memory; HQ is the real service.
 * The limit is the same thousand without a backlog: what their live batches wait for then is HQ, the
 * machine and those who ask.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Credential } from '../gateway/sync/credential.ts';
import { HqClient, type HqRequest } from '../gateway/sync/hq-client.ts';
import type { HttpAnswer } from '../gateway/sync/outcome.ts';
import { SyncLoop } from '../gateway/sync/sync-loop.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { silentLog } from '../shared/runtime/log.ts';
import { type Day, DayBuffer, sensors_each } from './day-buffer.ts';
import { percentile, round2 } from './figures.ts';
import { type Headquarters, openHeadquarters } from './headquarters.ts';
import type { Measured } from './main.ts';

const clock = systemClock;
const gateways = 1_000;
/** Full jitter: all of them send their first batch within this time. */
const reconnect_within_ms = 10_000;
const rows_max = 1_000;
const drain_deadline_ms = 200_000;
const minute_ms = 60_000;
const day_ms = 1_440 * minute_ms;

export async function measure(): Promise<Measured> {
  const hq = await openHeadquarters();
  try {
    const credentials: Credential[] = [];
    for (let i = 0; i < gateways; i += 1) {
      credentials.push((await hq.addGateway(`store-${i}`)).credential);
    }
    const begin = Math.floor(clock.now() / minute_ms) * minute_ms - day_ms;
    const herd = await comeBack(hq, credentials, { begin, hasBacklog: true });
    await rolledUp(hq);
    const alone = await comeBack(hq, credentials, { begin: begin - day_ms, hasBacklog: false });
    return await verdict(hq, herd, alone);
  } finally {
    await hq.close();
  }
}

interface Return {
  readonly begin: number;
  /** From the first try of a live batch to its answer, s, ascending. */
  readonly live_s: readonly number[];
  readonly settled_rows: number;
  readonly left: number;
  readonly drained_s: number;
  /** How late the thousand were themselves, s: they share two cores with HQ. */
  readonly generator_p99_s: number;
}

async function comeBack(
  hq: Headquarters,
  credentials: readonly Credential[],
  day: Day,
): Promise<Return> {
  const timing = { send_interval_ms: reconnect_within_ms, retry_max_ms: 60_000, rows_max };
  const herd = credentials.map((credential, i) => {
    const client = new TimedClient(hq.url, clock);
    const buffer = new DayBuffer(clock, i, day);
    const options = { buffer, client, credential, ...timing, clock, log: silentLog };
    return { client, buffer, sync: new SyncLoop(options) };
  });
  const delay = monitorEventLoopDelay();
  delay.enable();
  const start = clock.monotonic();
  for (const { sync } of herd) sync.start();
  while (herd.some(({ buffer }) => !buffer.isDrained)) {
    await clock.sleep(200);
    if (clock.monotonic() - start > drain_deadline_ms) break;
  }
  const drained_s = (clock.monotonic() - start) / 1000;
  delay.disable();
  await Promise.all(herd.map(({ sync }) => sync.stop()));
  for (const { client } of herd) client.close();
  const sum = (of: 'settled_rows' | 'backlog_left') =>
    herd.reduce((total, { buffer }) => total + buffer[of], 0);
  return {
    begin: day.begin,
    live_s: herd.flatMap(({ client }) => client.live_s).sort((a, b) => a - b),
    settled_rows: sum('settled_rows'),
    left: sum('backlog_left'),
    drained_s,
    generator_p99_s: delay.percentile(99) / 1e9,
  };
}

/** Waits until no hour and no day of the first return is left to compute. */
async function rolledUp(hq: Headquarters): Promise<void> {
  for (;;) {
    const [left] = await hq.asOwner<{ isAny: boolean }>(
      `select exists (select from app.rollup_dirty) or exists (select from app.rollup_dirty_days)
         as "isAny"`,
    );
    if (left?.isAny !== true) return;
    await clock.sleep(500);
  }
}

async function verdict(hq: Headquarters, herd: Return, alone: Return): Promise<Measured> {
  const [found] = await hq.asOwner<{ rows: number }>(
    'select count(*)::float8 as rows from public.people_counting_raw',
  );
  const [twice] = await hq.asOwner<{ doubled: number }>(
    `select coalesce(sum(n - 1), 0)::float8 as doubled from (select count(*) as n
       from public.people_counting_raw group by gateway_id, "timestamp" >= $1, gateway_sequence
       having count(*) > 1) d`,
    [new Date(herd.begin)],
  );
  const statuses = await statusesOf(hq.url);
  const of = (first: string) =>
    [...statuses].reduce((sum, [status, n]) => (status.startsWith(first) ? sum + n : sum), 0);
  const settled = herd.settled_rows + alone.settled_rows;
  const document = {
    gateways,
    rows: herd.settled_rows,
    drained_s: round2(herd.drained_s),
    http_5xx: of('5'),
    http_429: of('429'),
    live_p50_s: round2(percentile(herd.live_s, 0.5)),
    live_p99_s: round2(percentile(herd.live_s, 0.99)),
    live_p99_without_backlog_s: round2(percentile(alone.live_s, 0.99)),
    generator_p99_s: round2(herd.generator_p99_s),
    // What HQ acknowledged and does not have; a batch whose answer was never heard may stand there.
    lost: Math.max(0, settled - (found?.rows ?? 0)),
    doubled: twice?.doubled ?? Number.NaN,
    left_in_stores: herd.left,
  };
  return {
    document,
    lines: [
      `${gateways} gateways with a day of ${sensors_each} sensors each, back within ${reconnect_within_ms / 1000} s`,
      `${document.rows} readings settled in ${document.drained_s} s, ${herd.left} of the backlog left (limit 0)`,
      `answers 5xx ${document.http_5xx} (limit 0), 429 ${document.http_429}`,
      `live batches: p50 ${document.live_p50_s} s, p99 ${document.live_p99_s} s (limit 2)`,
      `the same without a backlog: p99 ${document.live_p99_without_backlog_s} s; the thousand were late themselves by ${document.generator_p99_s} s (p99)`,
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
