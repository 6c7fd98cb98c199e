/**
 * What row security costs: a store manager's four days against the same query filtered by hand as
 * superuser, and batches of a gateway with and without policies, in turn, on the embedded server.
 *
 * Who asks is looked up once a transaction (`pre_request`), whatever number of statements follows: it
 * counts among the milliseconds added, and not as a share of one statement.
 */
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openEmbeddedPostgres } from '../cloud-sync/db/embedded-postgres.ts';
import { migrate } from '../cloud-sync/db/migrations.ts';
import type { Query } from '../cloud-sync/db/pool.ts';
import { runOnce } from '../cloud-sync/db/pool.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { silentLog } from '../shared/runtime/log.ts';
import { median, round2 } from './figures.ts';
import type { Measured } from './main.ts';

const organizations = 100;
const stores = 100;
const hours = 100;
const rounds = 201;
const batch_rows = 1_000;
const insert_rounds = 41;
const limits = { added_ms: 1, overhead_pct: 5, insert_overhead_pct: 20 };

export async function measure(): Promise<Measured> {
  const data_dir = await mkdtemp(path.join(tmpdir(), 'footbridge-bench-rls-'));
  const server = await openEmbeddedPostgres({ data_dir, clock: systemClock });
  try {
    await migrate({
      url: server.ownerUrl(),
      directory: path.resolve(import.meta.dirname, '../../migrations'),
      direction: 'up',
      log: silentLog,
    });
    return await runOnce(server.ownerUrl(), async (query) => {
      const place = await fill(query);
      const reading = await readFourDays(query, place);
      const writing = await writeBatches(query, place);
      return report(place.rows, reading, writing);
    });
  } finally {
    await server.stop();
    await rm(data_dir, { recursive: true });
  }
}

interface Place {
  readonly rows: number;
  readonly organization_id: string;
  readonly store_id: string;
  readonly user_id: string;
}

async function fill(query: Query): Promise<Place> {
  await query('select app.ensure_partitions(0, 0)');
  await query(
    `insert into organizations (name, slug) select 'O', 'o' || i from generate_series(1, $1) i`,
    [organizations],
  );
  await query(
    `insert into stores (organization_id, name, code, timezone)
     select o.id, 'S', 's' || i, 'UTC' from organizations o, generate_series(1, $1) i`,
    [stores],
  );
  await query(
    `insert into hourly_analytics (organization_id, store_id, sensor_id, start_time, end_time,
       local_date, local_hour, utc_offset_min, total_in, total_out, covered_s, readings)
     select s.organization_id, s.id, 'door', h, h + interval '1 hour', h::date,
       extract(hour from h), 0, 7, 7, 3600, 60
     from stores s, generate_series('2026-01-01 00:00+00'::timestamptz,
       '2026-01-01 00:00+00'::timestamptz + make_interval(hours => $1), interval '1 hour') h`,
    [hours - 1],
  );
  const [store] = await query<{ organization_id: string; id: string }>(
    'select organization_id, id from stores limit 1',
  );
  if (store === undefined) throw new Error('no store');
  const user_id = randomUUID();
  await query("insert into app.users (id, email) values ($1, 'm@example.org')", [user_id]);
  await query(
    "insert into app.memberships (organization_id, user_id, role) values ($1, $2, 'store_manager')",
    [store.organization_id, user_id],
  );
  await query('insert into app.membership_stores values ($1, $2, $3)', [
    store.organization_id,
    user_id,
    store.id,
  ]);
  await query('vacuum analyze');
  const [counted] = await query<{ n: number }>('select count(*) as n from hourly_analytics');
  return {
    rows: counted?.n ?? 0,
    organization_id: store.organization_id,
    store_id: store.id,
    user_id,
  };
}

/** Milliseconds: medians, and the median of the differences within a round. */
interface Pair {
  readonly by_hand_ms: number;
  readonly rls_ms: number;
  readonly more_ms: number;
}

interface Reading extends Pair {
  /** Once a transaction. */
  readonly look_up_ms: number;
}

async function readFourDays(query: Query, place: Place): Promise<Reading> {
  const four_days = `select local_date, local_hour, total_in from hourly_analytics
    where start_time >= '2026-01-01 00:00+00' and start_time < '2026-01-05 00:00+00'`;
  const by_hand_text = `${four_days} and organization_id = $1 and store_id = $2`;
  const claims = JSON.stringify({ sub: place.user_id, organization_id: place.organization_id });
  const claimed = [
    'set local role authenticated',
    `select set_config('request.jwt.claims', '${claims}', true)`,
  ];
  const look_up = 'select public.pre_request()';
  const by_hand: number[] = [];
  const rls: number[] = [];
  const look_ups: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const ways = [
      async () =>
        by_hand.push(await timed(query, [], by_hand_text, [place.organization_id, place.store_id])),
      async () => rls.push(await timed(query, [...claimed, look_up], four_days, [])),
    ];
    // What ran before warms a cache or two for what runs next, so they take turns.
    for (const way of round % 2 === 0 ? ways : ways.reverse()) await way();
    look_ups.push(await timed(query, claimed, look_up, []));
  }
  return { ...pairOf(by_hand, rls), look_up_ms: median(look_ups) };
}

async function writeBatches(query: Query, place: Place): Promise<Pair> {
  const gateway_id = randomUUID();
  const settings = {
    'app.organization_id': place.organization_id,
    'app.store_id': place.store_id,
    'app.gateway_id': gateway_id,
  };
  const identity = [
    'set local role app_ingest',
    ...Object.entries(settings).map(
      ([name, value]) => `select set_config('${name}', '${value}', true)`,
    ),
  ];
  const text = `insert into people_counting_raw (organization_id, store_id, "timestamp", sensor_id,
      in_count, out_count, interval_s, gateway_id, gateway_sequence, received_at)
    select $1, $2, date_trunc('month', now()) + make_interval(secs => i), $3, 1, 1, 60, $4, i, now()
    from unnest($5::int[]) i on conflict do nothing`;
  const sequence = Array.from({ length: batch_rows }, (_, i) => i);
  const without: number[] = [];
  const within: number[] = [];
  for (let round = 0; round < insert_rounds; round++) {
    for (const [times, before] of [
      [without, []],
      [within, identity],
    ] as const) {
      const sensor = `${round}-${before.length}`;
      const values = [place.organization_id, place.store_id, sensor, gateway_id, sequence];
      times.push(await timed(query, before, text, values));
    }
  }
  return pairOf(without, within);
}

/** One statement in a transaction; only the statement is on the clock. */
async function timed(
  query: Query,
  before: readonly string[],
  text: string,
  values: unknown[],
): Promise<number> {
  await query('begin');
  for (const one of before) await query(one);
  const start = systemClock.monotonic();
  const rows = await query(text, values);
  const took = systemClock.monotonic() - start;
  await query('commit');
  if (text.includes('hourly') && rows.length !== 96) throw new Error(`${rows.length} hours`);
  return took;
}

function pairOf(by_hand: number[], rls: number[]): Pair {
  const more = by_hand.map((one, round) => (rls[round] ?? one) - one);
  return { by_hand_ms: median(by_hand), rls_ms: median(rls), more_ms: median(more) };
}

function report(rows: number, reading: Reading, writing: Pair): Measured {
  const { by_hand_ms, rls_ms, look_up_ms } = reading;
  const over = (pair: Pair) => round2((100 * pair.more_ms) / pair.by_hand_ms);
  const overhead_pct = over(reading);
  const insert_overhead_pct = over(writing);
  const added_ms = round2(reading.more_ms + look_up_ms);
  const good =
    added_ms <= limits.added_ms &&
    overhead_pct <= limits.overhead_pct &&
    insert_overhead_pct <= limits.insert_overhead_pct;
  return {
    lines: [
      `${rows} hourly rows, ${organizations} organizations, medians of ${rounds} rounds`,
      `four days by hand ${round2(by_hand_ms)} ms, under row security ${round2(rls_ms)} ms`,
      `  ${overhead_pct} % (limit ${limits.overhead_pct}); with looking up who asks, once a transaction in ${round2(look_up_ms)} ms, ${added_ms} ms more (limit ${limits.added_ms})`,
      `batch of ${batch_rows}: ${round2(writing.by_hand_ms)} ms without, ${round2(writing.rls_ms)} ms with policies`,
      `  ${insert_overhead_pct} % (limit ${limits.insert_overhead_pct})`,
    ],
    document: {
      rows,
      by_hand_ms: round2(by_hand_ms),
      rls_ms: round2(rls_ms),
      look_up_ms: round2(look_up_ms),
      added_ms,
      overhead_pct,
      insert_overhead_pct,
      within_limits: good,
    },
  };
}
