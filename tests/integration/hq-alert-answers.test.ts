import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  acknowledgeAlert,
  muteAlerts,
  unmuteAlerts,
} from '../../cloud-sync/health/answer-alerts.ts';
import { alertsOf as alertsSeenBy } from '../../cloud-sync/reports/alerts.ts';
import type { UserRole } from '../../cloud-sync/tenants/users.ts';
import { addUser } from '../../cloud-sync/tenants/users.ts';
import type { Hq, TestStore } from '../support/hq.ts';
import { addTestStore, openHq } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { openWatchedStore } from '../support/watched-store.ts';

const minute = 60_000;
const hour = 60 * minute;

describeOnEngines('alerts in the hands of people', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine, { heartbeat_grace_s: 86_400 });
  });
  afterAll(() => hq.close());

  const person = async (store: TestStore, role: UserRole) => {
    const email = `${role}-${randomUUID()}@acme.example`;
    const { user_id } = await addUser(hq.db, store.organization, {
      email,
      role,
      stores: [store.code],
      regions: [],
    });
    return { email, user_id, organization_id: store.organization.id };
  };
  const offline = async () => {
    const { store, beat, look } = await openWatchedStore(hq);
    const start = Date.now();
    await beat(start, start);
    await look(start + 4 * minute);
    return store;
  };

  it('are taken on once, in the name of whoever did', async () => {
    const store = await offline();
    const staff = await person(store, 'store_staff');
    const [alert] = await alertsSeenBy(hq.db, staff, true);
    const id = alert?.id ?? '';
    await acknowledgeAlert(hq.db, staff, { id, note: 'calling the provider' });
    await expect(acknowledgeAlert(hq.db, staff, { id, note: '' })).rejects.toMatchObject({
      code: 'already_exists',
    });
    expect(await alertsSeenBy(hq.db, await person(store, 'viewer'), true)).toMatchObject([
      { state: 'firing', acknowledged_by: staff.email, note: 'calling the provider' },
    ]);
  });

  it('are not taken on by who only looks, nor by who does not see them', async () => {
    const store = await offline();
    const viewer = await person(store, 'viewer');
    const [alert] = await alertsSeenBy(hq.db, viewer, true);
    const one = { id: alert?.id ?? '', note: '' };
    await expect(acknowledgeAlert(hq.db, viewer, one)).rejects.toMatchObject({
      code: 'role_insufficient',
    });
    const elsewhere = await person(
      await addTestStore(hq, { organization: store.organization }),
      'store_manager',
    );
    await expect(acknowledgeAlert(hq.db, elsewhere, one)).rejects.toMatchObject({
      code: 'alert_unknown',
    });
  });

  it('are muted by who answers for the store, and say until when', async () => {
    const store = await offline();
    const manager = await person(store, 'store_manager');
    const until = new Date(Date.now() + hour);
    const mute = { store: store.code, until, reason: 'works' };
    await expect(muteAlerts(hq.db, await person(store, 'store_staff'), mute)).rejects.toMatchObject(
      { code: 'role_insufficient' },
    );
    await muteAlerts(hq.db, manager, { ...mute, alert_type: 'sensor_blind' });
    expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: null }]);
    await muteAlerts(hq.db, manager, mute);
    expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: until }]);
    expect(await unmuteAlerts(hq.db, manager, store.code)).toBe(2);
    expect(await alertsSeenBy(hq.db, manager, true)).toMatchObject([{ muted_until: null }]);
  });
});
