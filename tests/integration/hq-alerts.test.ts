import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Hq } from '../support/hq.ts';
import { openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { alertsAt, beatOver, heartbeat, openWatchedStore } from '../support/watched-store.ts';

const minute = 60_000;
const hour = 60 * minute;

describeOnEngines('alerts', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  it('are raised once for a gateway that falls silent, and resolved when it returns', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start);
    await look(start + minute);
    expect(await alertsAt(hq, store)).toEqual([]);
    await look(start + 4 * minute);
    await Promise.all([look(start + 5 * minute), look(start + 5 * minute)]);
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'gateway_offline', is_resolved: false },
    ]);
    await beat(start + 6 * minute, start + 6 * minute);
    await look(start + 6 * minute);
    await beat(start + 11 * minute, start + 11 * minute);
    await look(start + 11 * minute);
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'gateway_offline', is_resolved: true },
    ]);
    await look(start + 20 * minute);
    expect(await alertsAt(hq, store)).toHaveLength(2);
  });

  it('are one for a line that comes and goes: it recovers for five minutes before it is over', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    const states: unknown[] = [];
    for (const [minutes, heard] of [
      [0, true],
      [4, false],
      [5, true],
      [9, false],
      [10, true],
      [14, true],
      [15, true],
    ] as const) {
      const at = start + minutes * minute;
      if (heard) await beat(at, at);
      await look(at);
      const rows = await hq.asOwner<{ state: string }>(
        'select state from alerts where store_id = $1',
        [store.store_id],
      );
      states.push(rows.map((row) => row.state).join());
    }
    expect(states).toEqual([
      '',
      'firing',
      'recovering',
      'firing',
      'recovering',
      'recovering',
      'resolved',
    ]);
  });

  it('are raised once for a silent sensor, and resolved when it speaks', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    await beat(start + minute, start - 11 * minute);
    await look(start + minute);
    expect(await alertsAt(hq, store)).toEqual([
      { alert_type: 'sensor_silent', is_resolved: false },
    ]);
    for (const minutes of [2, 7]) {
      await beat(start + minutes * minute, start + minutes * minute);
      await look(start + minutes * minute);
    }
    expect(await alertsAt(hq, store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: true }]);
  });

  it('judge a sensor by what its gateway has delivered, not by HQ’s clock', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start - 30 * minute, start - 25 * minute);
    await look(start);
    expect(await alertsAt(hq, store)).toEqual([]);
  });

  it('stop for a sensor that was unpaired', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start - 11 * minute);
    await look(start);
    for (const minutes of [1, 6]) {
      const at = start + minutes * minute;
      await beat(at, null, at, { sensors: [] });
      await look(at);
    }
    expect(await alertsAt(hq, store)).toEqual([{ alert_type: 'sensor_silent', is_resolved: true }]);
  });

  it('are one for a gateway that is away with forty sensors', async () => {
    const { store, gateway, look } = await openWatchedStore(hq);
    const start = Date.now();
    const sensors = Array.from({ length: 40 }, (_, i) => ({
      sensor_id: `door-${i}`,
      name: `Door ${i}`,
      profile: 'json-counter',
      kind: 'line' as const,
      last_seen_at: start,
      silent_after_s: 60,
    }));
    await beatOver(hq, gateway, heartbeat({ sensors }));
    await look(start + 4 * minute);
    expect((await alertsAt(hq, store)).map((one) => one.alert_type)).toEqual(['gateway_offline']);
  });

  it('call nobody about a silence that was over before it could be known', async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start);
    await look(start + 4 * minute);
    // Back after six hours, with six hours to deliver: the sensor was silent in between.
    const back = start + 6 * hour;
    await beat(back, start + 10 * minute, start + 3 * hour);
    await look(back);
    await beat(back + 6 * minute, back, back);
    await look(back + 6 * minute);
    expect((await alertsAt(hq, store)).map((one) => one.alert_type)).toEqual(['gateway_offline']);
    const pending = await hq.asOwner('select from app.alert_pending where organization_id = $1', [
      store.organization.id,
    ]);
    expect(pending).toEqual([]);
  });
});
