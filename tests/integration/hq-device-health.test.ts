import { afterAll, beforeAll, expect, it } from 'vitest';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import type { Hq } from '../support/hq.ts';
import { addTestStore, enrollTestGateway, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

const minute = 60_000;

describeOnEngines('what devices say about themselves', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    // HQ's own watch sees every gateway as online and leaves the looking to the tests.
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  type Said = Partial<Heartbeat['sensors'][number]>;

  /** A gateway that posts heartbeats, and what HQ then knows and raises. */
  const place = async () => {
    const store = await addTestStore(hq);
    const gateway = await enrollTestGateway(hq, store);
    const post = async (said: Said) => {
      const at = Date.now();
      const sensor = { sensor_id: 'front-door', name: '', kind: 'line', profile: 'p' };
      const heard = { last_seen_at: at, silent_after_s: 604_800 };
      const body = {
        ...{ version: '0.1.0', epoch: gateway.epoch, sent_at: at, delivered_at: at, buffered: 0 },
        ...{ oldest_unsent_at: null, durability: 'fsync', sources: [], quarantined: [] },
        sensors: [{ ...sensor, ...heard, ...said }],
      };
      const { authorization } = gateway;
      return hq.post('/v1/heartbeats', body, { authorization });
    };
    return {
      post,
      known: async () => {
        const [row] = await hq.asOwner(
          'select battery_pct, faults from sensor_metadata where store_id = $1',
          [store.store_id],
        );
        return row;
      },
      /** Types of the alerts that fire after a look, `minutes` from now. */
      firing: async (minutes = 0) => {
        const organization_id = store.organization.id;
        const watch = { watching_since: 0, heartbeat_grace_s: 86_400, thorough: false };
        await evaluateAlerts(hq.db, {
          organization_id,
          now: Date.now() + minutes * minute,
          ...watch,
        });
        const rows = await hq.asOwner<{ title: string }>(
          `select title from alerts where organization_id = $1 and state = 'firing' order by 1`,
          [organization_id],
        );
        return rows.map(({ title }) => title);
      },
    };
  };

  it('is not needed: gateways of before say nothing of it', async () => {
    const { post, known, firing } = await place();
    expect((await post({})).status).toBe(200);
    expect(await known()).toEqual({ battery_pct: null, faults: null });
    expect(await firing()).toEqual([]);
  });

  it('raises battery_low, until somebody has changed the battery', async () => {
    const { post, firing } = await place();
    await post({ battery_pct: 12.4 });
    expect(await firing()).toEqual(['Battery of sensor front-door is at 12 %']);
    await post({ battery_pct: 100 });
    expect(await firing()).toEqual([]);
  });

  it('raises device_fault once the fault has lasted a minute', async () => {
    const { post, firing } = await place();
    await post({ faults: { stuck: true, too_dark: false } });
    expect(await firing()).toEqual([]);
    expect(await firing(1)).toEqual(['Sensor front-door reports a fault: stuck']);
    await post({ faults: { stuck: false } });
    expect(await firing(2)).toEqual([]);
  });

  it('is remembered when the gateway starts anew and has not heard it yet', async () => {
    const { post, known } = await place();
    await post({ battery_pct: 50, faults: { stuck: true, stopped: false } });
    await post({});
    await post({ faults: { stopped: true } });
    expect(await known()).toEqual({ battery_pct: 50, faults: { stuck: true, stopped: true } });
  });

  it('is forgotten when another kind of device takes the place', async () => {
    const { post, known } = await place();
    await post({ battery_pct: 50, faults: { stuck: true } });
    await post({ profile: 'q' });
    expect(await known()).toEqual({ battery_pct: null, faults: null });
  });

  it('is refused where it cannot be', async () => {
    const { post } = await place();
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, i) => [`fault_${i}`, true]));
    for (const said of [{ battery_pct: 101 }, { battery_pct: -1 }, { faults: many }]) {
      expect((await post(said)).status).toBe(400);
    }
  });
});
