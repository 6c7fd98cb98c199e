/** A store whose gateway speaks when the test says, and whose alerts are looked for when it says. */
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import type { Store } from '../../cloud-sync/tenants/stores.ts';
import type { Heartbeat, HeartbeatAnswer } from '../../shared/wire/heartbeat.ts';
import type { Answer, Hq, TestGateway, TestStore } from './hq.ts';
import { addTestStore, enrollTestGateway } from './hq.ts';

/** Of a gateway with one sensor; `last_seen_at` in ms since the epoch, null before its first word. */
export function heartbeat(
  changes: Partial<Heartbeat> = {},
  last_seen_at: number | null = null,
): Heartbeat {
  return {
    version: '0.1.0',
    epoch: '018f0000-0000-7000-8000-000000000000',
    sent_at: Date.now(),
    buffered: 0,
    oldest_unsent_at: null,
    delivered_at: Date.now(),
    durability: 'fsync',
    sensors: [
      {
        sensor_id: 'front-door',
        name: 'Front door',
        profile: 'json-counter',
        kind: 'line',
        last_seen_at,
        silent_after_s: 600,
      },
    ],
    sources: [{ source: 'doors', state: 'running', error: null }],
    quarantined: [],
    ...changes,
  };
}

/** As its gateway sends it, over HTTP. */
export function beatOver(
  hq: Hq,
  gateway: TestGateway,
  body: Heartbeat,
): Promise<Answer<HeartbeatAnswer>> {
  return hq.post<HeartbeatAnswer>('/v1/heartbeats', body, { authorization: gateway.authorization });
}

export function alertsAt(
  hq: Hq,
  store: TestStore,
): Promise<{ alert_type: string; is_resolved: boolean }[]> {
  return hq.asOwner(
    'select alert_type, is_resolved from alerts where store_id = $1 order by created_at, 1',
    [store.store_id],
  );
}

/** The store as its trading hours are set for. */
export const inMadrid = (store: TestStore): Store => ({
  id: store.store_id,
  code: store.code,
  name: '',
  timezone: 'Europe/Madrid',
  created_at: new Date(0),
});

export interface WatchedStore {
  readonly store: TestStore;
  readonly gateway: TestGateway;
  /** A heartbeat of `at` that says until when everything is delivered; all in ms since the epoch. */
  beat(
    at: number,
    last_seen_at: number | null,
    delivered_at?: number,
    changes?: Partial<Heartbeat>,
  ): Promise<unknown>;
  /** Evaluates the rules as if it were `now`. */
  look(now: number): Promise<unknown>;
}

export async function openWatchedStore(hq: Hq): Promise<WatchedStore> {
  const store = await addTestStore(hq);
  const gateway = await enrollTestGateway(hq, store);
  const organization_id = store.organization.id;
  const { gateway_id, credential_id } = gateway;
  const identity = { organization_id, store_id: store.store_id, gateway_id, credential_id };
  return {
    store,
    gateway,
    beat(at, last_seen_at, delivered_at = at, changes = {}) {
      const body = heartbeat({ sent_at: at, delivered_at, ...changes }, last_seen_at);
      return storeHeartbeat(hq.db, identity, body, at);
    },
    look: (now) =>
      evaluateAlerts(hq.db, {
        organization_id,
        now,
        watching_since: 0,
        heartbeat_grace_s: 180,
        thorough: true,
      }),
  };
}
