import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { foldDays } from '../../cloud-sync/rollups/fold-days.ts';
import { rollUp } from '../../cloud-sync/rollups/roll-up.ts';
import { setTradingHours } from '../../cloud-sync/tenants/trading-hours.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import type { Hq, TestStore } from '../support/hq.ts';
import { addTestStore, enrollTestGateway, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { insertCounts } from '../support/store-traffic.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

describeOnEngines('an alert is raised for', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    // HQ's own watch sees every gateway as online and leaves the looking to the tests.
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  /** A store whose gateway says what the test says, at the times that it says. */
  const place = async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const identity = {
      organization_id: store.organization.id,
      store_id: store.store_id,
      gateway_id: gateway.gateway_id,
      credential_id: gateway.credential_id,
    };
    const epoch = randomUUID();
    const look = (now: number) =>
      evaluateAlerts(hq.db, {
        organization_id: store.organization.id,
        now,
        watching_since: 0,
        heartbeat_grace_s: 180,
        thorough: true,
      });
    return {
      store,
      look,
      /** A heartbeat at HQ's time `at`, and a look just after it. */
      says: async (at: number, changes: Partial<Heartbeat> = {}) => {
        const sensor = { name: '', profile: 'p', kind: 'line' as const, silent_after_s: 604_800 };
        const body: Heartbeat = {
          version: '0.1.0',
          epoch,
          sent_at: at,
          buffered: 0,
          oldest_unsent_at: null,
          delivered_at: changes.sent_at ?? at,
          durability: 'fsync',
          sensors: [{ ...sensor, sensor_id: 'front-door', last_seen_at: at }],
          sources: [],
          quarantined: [],
          ...changes,
        };
        await storeHeartbeat(hq.db, identity, body, at);
        await look(at);
      },
      /** Types of the alerts that fire now. */
      firing: async () => {
        const rows = await hq.asOwner<{ alert_type: string }>(
          `select alert_type from alerts where organization_id = $1 and state = 'firing' order by 1`,
          [store.organization.id],
        );
        return rows.map((row) => row.alert_type);
      },
    };
  };
  const counts = (store: TestStore, until: number, every: readonly [number, number][]) =>
    insertCounts(
      hq,
      store,
      every.map(([ins, outs], i) => ({
        sensor_id: 'front-door',
        at: until - (every.length - i) * minute,
        in: ins,
        out: outs,
      })),
    );
  const now = Math.floor(Date.now() / hour) * hour;

  it('a clock more than a minute off in three heartbeats, until it is within half a minute', async () => {
    const { says, firing } = await place();
    for (const minutes of [0, 1, 2, 3]) {
      const at = now + minutes * minute;
      await says(at, { sent_at: at - 70_000 });
      expect(await firing()).toEqual(minutes < 3 ? [] : ['clock_skew']);
    }
    await says(now + 4 * minute, { sent_at: now + 4 * minute - 45_000 });
    expect(await firing()).toEqual(['clock_skew']);
    await says(now + 5 * minute);
    expect(await firing()).toEqual([]);
  });

  it('readings that have waited for an hour in a store that is online', async () => {
    const { says, firing } = await place();
    const behind = { buffered: 5, delivered_at: now - 61 * minute };
    await says(now, behind);
    expect(await firing()).toEqual([]);
    await says(now + 5 * minute, behind);
    expect(await firing()).toEqual(['backlog_old']);
  });

  it('a disk that cannot be written, at once, and one that is nine tenths full', async () => {
    const { says, firing } = await place();
    await says(now, { disk: { free_bytes: 9, total_bytes: 100 }, durability: 'degraded' });
    expect(await firing()).toEqual(['disk_full', 'storage_failing']);
    await says(now + minute, { disk: { free_bytes: 11, total_bytes: 100 } });
    expect(await firing()).toEqual(['disk_full']);
    await says(now + 2 * minute, { disk: { free_bytes: 14, total_bytes: 100 } });
    expect(await firing()).toEqual([]);
  });

  it('more than ten messages within an hour that could not be used', async () => {
    const { says, firing } = await place();
    const lost = (count: number) => ({ quarantined: [{ source: 'a', reason: 'checksum', count }] });
    await says(now, lost(500));
    await says(now + 30 * minute, lost(510));
    expect(await firing()).toEqual([]);
    await says(now + 40 * minute, lost(511));
    expect(await firing()).toEqual(['quarantine_growing']);
    for (const minutes of [50, 60, 70, 80, 90, 100, 110]) {
      await says(now + minutes * minute, lost(511));
    }
    expect(await firing()).toEqual([]);
  });

  it('a source that fails for five minutes', async () => {
    const { says, firing } = await place();
    const sources = [{ source: 'rs485', state: 'failing' as const, error: 'source_unavailable' }];
    await says(now, { sources });
    expect(await firing()).toEqual([]);
    await says(now + 5 * minute, { sources });
    expect(await firing()).toEqual(['source_failing']);
  });

  it('a certificate three weeks before it ends', async () => {
    const { says, firing } = await place();
    const ends = (days: number) => ({
      certificates: [{ name: 'sensors', expires_at: now + days * day }],
    });
    await says(now, ends(21));
    expect(await firing()).toEqual([]);
    await says(now + minute, ends(20));
    expect(await firing()).toEqual(['certificate_expiring']);
  });

  it('an API key two weeks before it ends', async () => {
    const { store, look, firing } = await place();
    const { user_id } = await addUser(hq.db, store.organization, {
      email: `${randomUUID()}@acme.example`,
      role: 'analyst',
      stores: [],
    });
    await hq.asOwner(
      `insert into app.api_keys (organization_id, user_id, name, prefix, key_hash, scopes, expires_at)
       values ($1, $2, 'bi', 'fbk_abcd', sha256('x'), '{report:read}', $3)`,
      [store.organization.id, user_id, new Date(now + 14 * day)],
    );
    await look(now);
    expect(await firing()).toEqual([]);
    await look(now + minute);
    expect(await firing()).toEqual(['key_expiring']);
  });

  it('twenty readings in a row that all say the same, and not for twenty that say nobody', async () => {
    const { store, says, firing } = await place();
    const same = Array.from({ length: 20 }, () => [7, 3] as [number, number]);
    await counts(store, now, [...Array.from({ length: 20 }, () => [0, 0] as [number, number])]);
    await says(now);
    await counts(store, now + 19 * minute, same.slice(1));
    await says(now + 19 * minute);
    expect(await firing()).toEqual([]);
    await counts(store, now + 20 * minute, same.slice(19));
    await says(now + 20 * minute);
    expect(await firing()).toEqual(['sensor_stuck']);
    await counts(store, now + 21 * minute, [[6, 3]]);
    await says(now + 21 * minute);
    expect(await firing()).toEqual([]);
  });

  it('more people in a minute than can pass', async () => {
    const { store, says, firing } = await place();
    await counts(store, now, [[120, 120]]);
    await says(now);
    expect(await firing()).toEqual([]);
    await counts(store, now + minute, [[121, 120]]);
    await says(now + minute);
    expect(await firing()).toEqual(['rate_impossible']);
  });

  it('a store at its capacity, until a twentieth of the people have left', async () => {
    const { store, says, firing } = await place();
    await hq.asOwner(
      `update stores set capacity = 100, occupancy_reset_hour =
         extract(hour from to_timestamp($2::float8 / 1000) at time zone timezone)::int where id = $1`,
      [store.store_id, now - hour],
    );
    const at = async (minutes: number, ins: number, outs: number) => {
      await counts(store, now + minutes * minute, [[ins, outs]]);
      await says(now + minutes * minute);
      return firing();
    };
    expect(await at(0, 80, 0)).toEqual([]);
    expect(await at(1, 1, 0)).toEqual([]);
    expect(await at(2, 0, 0)).toEqual(['occupancy_high']);
    expect(await at(3, 20, 0)).toEqual(['occupancy_full', 'occupancy_high']);
    expect(await at(4, 0, 5)).toEqual(['occupancy_full', 'occupancy_high']);
    expect(await at(5, 0, 1)).toEqual(['occupancy_high']);
  });

  /** A day of 2026-03 in Madrid, counted every quarter hour, computed, and looked at when it is over. */
  const dayOf = async (
    traffic: (local_hour: number) => { in: number; out: number } | null,
    options: { before?: { in: number; out: number } } = {},
  ) => {
    const { store, says, firing } = await place();
    const madrid = { id: store.store_id, code: '', name: '', created_at: new Date(0) };
    await setTradingHours(
      hq.db,
      store.organization,
      { ...madrid, timezone: 'Europe/Madrid' },
      [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, opens: '10:00', closes: '20:00' })),
    );
    const midnight = Date.parse('2026-03-03T00:00:00+01:00');
    const quarters = (from: number, of: typeof traffic) =>
      Array.from({ length: 96 }, (_, i) => {
        const count = of(Math.floor(i / 4));
        const at = from + i * 15 * minute;
        return { sensor_id: 'front-door', at, interval_s: 900, count };
      }).flatMap(({ count, ...reading }) => (count === null ? [] : [{ ...reading, ...count }]));
    const open = (h: number) => h >= 10 && h < 20;
    const before = options.before ?? { in: 10, out: 10 };
    await hq.asOwner('select app.ensure_partitions(12, 3)');
    await says(midnight - day);
    await hq.asOwner(`update sensor_metadata set counting_from = $2 where store_id = $1`, [
      store.store_id,
      new Date(midnight - day),
    ]);
    await insertCounts(hq, store, [
      ...quarters(midnight - day, (h) => (open(h) ? before : { in: 0, out: 0 })),
      ...quarters(midnight, traffic),
    ]);
    // Hours in which nothing arrived are computed too, once they are over.
    await hq.asOwner(
      `insert into app.rollup_dirty (organization_id, store_id, bucket)
       select $1, $2, h from generate_series(to_timestamp($3::float8 / 1000),
         to_timestamp($3::float8 / 1000) + interval '23 hours', interval '1 hour') h
       on conflict do nothing`,
      [store.organization.id, store.store_id, midnight],
    );
    const over = midnight + day + 10 * minute;
    while ((await rollUp(hq.db, store.organization.id)) > 0);
    while ((await foldDays(hq.db, store.organization.id, over)) > 0);
    await says(over - 20 * minute, { delivered_at: midnight + day - minute });
    const early = await firing();
    await says(over);
    return [early, await firing()];
  };
  const inTrade = (count: { in: number; out: number }) => (h: number) =>
    h >= 10 && h < 20 ? count : { in: 0, out: 0 };

  it('a day on which more people went in than came out, once all of it has arrived', async () => {
    expect(await dayOf(inTrade({ in: 10, out: 9 }))).toEqual([[], ['in_out_imbalance']]);
    expect(await dayOf(inTrade({ in: 20, out: 19 }))).toEqual([[], []]);
  });

  it('no imbalance at a door that counts one way only', async () => {
    const one_way = { in: 10, out: 0 };
    expect(await dayOf(inTrade(one_way), { before: one_way })).toEqual([[], []]);
  });

  it('people who are counted at night, not for those who come before it opens', async () => {
    const staff = (h: number) => (h === 9 ? { in: 9, out: 0 } : null);
    const usual = inTrade({ in: 10, out: 10 });
    expect(await dayOf((h) => staff(h) ?? usual(h))).toEqual([[], []]);
    const ghosts = (h: number) => (h === 3 ? { in: 3, out: 3 } : usual(h));
    expect(await dayOf(ghosts)).toEqual([[], ['counts_at_night']]);
  });

  it('a day of which more than a tenth is missing', async () => {
    const usual = inTrade({ in: 10, out: 10 });
    const gap = (h: number) => (h >= 12 && h < 14 ? null : usual(h));
    expect(await dayOf(gap)).toEqual([[], ['day_incomplete']]);
  });
});
