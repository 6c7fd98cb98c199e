/** HQ hears a gateway that delivers nothing: who says so, and who is left alone. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { evaluateAlerts } from '../../cloud-sync/health/evaluate-alerts.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import type { Heartbeat } from '../../shared/wire/heartbeat.ts';
import { addTestStore, enrollTestGateway, type Hq, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';

vi.setConfig({ testTimeout: 60_000 });
const minute = 60_000;

describeOnEngines('a gateway that is heard', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  /** Minutes with a heartbeat each, and whether the alert fired after the last of them. */
  async function heard(beats: readonly Partial<Heartbeat>[]): Promise<boolean> {
    const store = await addTestStore(hq);
    const { gateway_id, credential_id } = await enrollTestGateway(hq, store);
    const organization_id = store.organization.id;
    const identity = { organization_id, store_id: store.store_id, gateway_id, credential_id };
    const [epoch, start] = [randomUUID(), Math.floor(Date.now() / minute) * minute];
    for (const [i, changes] of beats.entries()) {
      const at = start + i * minute;
      const told: Heartbeat = {
        ...{ version: '0.1.0', epoch, sent_at: at, buffered: 7, oldest_unsent_at: at },
        ...{ delivered_at: at, durability: 'fsync', sensors: [], sources: [], quarantined: [] },
        ...changes,
      };
      await storeHeartbeat(hq.db, identity, told, at);
      const watch = { watching_since: 0, heartbeat_grace_s: 180, thorough: false };
      await evaluateAlerts(hq.db, { organization_id, now: at, ...watch });
    }
    const fired = await hq.asOwner(
      `select from alerts where organization_id = $1 and alert_type = 'delivery_stalled'
         and state = 'firing'`,
      [organization_id],
    );
    return fired.length > 0;
  }
  const minutes = (count: number, beat: (minute: number) => Partial<Heartbeat>) =>
    Array.from({ length: count }, (_, i) => beat(i));

  it('and settles nothing for twenty minutes raises an alert, not sooner', async () => {
    const stuck = minutes(23, () => ({ settled_sequence: 5 }));
    expect(await heard(stuck)).toBe(true);
    expect(await heard(stuck.slice(0, 21))).toBe(false);
  });

  it('is let alone once a batch is settled', async () => {
    const stuck = minutes(23, () => ({ settled_sequence: 5 }));
    expect(await heard([...stuck, { settled_sequence: 6 }])).toBe(false);
  });

  it.each([
    ['drains a long backlog', (i: number) => ({ settled_sequence: i })],
    [
      'counts someone now and then',
      (i: number) => ({
        settled_sequence: 5 + Math.floor(i / 8),
        buffered: i % 8 === 7 ? 1 : 0,
      }),
    ],
    ['is idle', () => ({ settled_sequence: 5, buffered: 0 })],
    ['starts a new epoch again and again', () => ({ settled_sequence: 0, epoch: randomUUID() })],
    ['is too old to say what is settled', () => ({})],
  ])('and %s is no stall', async (_what, beat) => {
    expect(await heard(minutes(25, beat))).toBe(false);
  });
});
