import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { composeMessage } from '../../../cloud-sync/notify/compose-message.ts';
import type { AlertNews, Recipient } from '../../../cloud-sync/notify/plan-notifications.ts';
import { planNotifications } from '../../../cloud-sync/notify/plan-notifications.ts';

const s = 1000;
const minute = 60 * s;
const now = Date.UTC(2026, 10, 21, 12);

function alert(changes: Partial<AlertNews> = {}): AlertNews {
  return {
    id: 'a1',
    store_id: 's1',
    store: 'Madrid 1',
    alert_type: 'gateway_offline',
    severity: 'critical',
    title: 'Gateway pc is offline',
    description: 'No heartbeat.',
    is_resolved: false,
    fired_at: now - 5 * minute,
    resolved_at: null,
    acknowledged: false,
    muted: false,
    ...changes,
  };
}

function recipient(changes: Partial<Recipient> = {}): Recipient {
  return {
    route_id: 'r1',
    kind: 'email',
    address: 'mar@acme.example',
    store_ids: ['s1'],
    severity_min: 'warning',
    quiet: false,
    last_at: null,
    told: new Map(),
    ...changes,
  };
}

const told = (alerts: readonly AlertNews[], to: Partial<Recipient> = {}, at = now) =>
  planNotifications(alerts, [recipient(to)], at).map(({ items }) =>
    items.map((item) => `${item.told} ${item.alert.id}`),
  );
const toldBefore = (state: 'firing' | 'resolved', age_ms: number) =>
  new Map([['a1', { told: state, at: now - age_ms }]]);

describe('people are told', () => {
  it('of an alert after it has waited for its neighbours, and of all of them at once', () => {
    const swarm = [
      alert({ id: 'a1', fired_at: now - 90 * s }),
      alert({ id: 'a2', fired_at: now - s }),
    ];
    expect(told(swarm)).toEqual([['firing a1', 'firing a2']]);
    expect(told(swarm, {}, now - s)).toEqual([]);
  });
  it('only about stores that they may see', () => {
    expect(told([alert({ store_id: 's2' })])).toEqual([]);
    expect(told([alert({ store_id: null })])).toEqual([]);
    expect(told([alert({ store_id: null })], { store_ids: null })).toEqual([['firing a1']]);
  });
  it('once, and when it is over', () => {
    const over = alert({ is_resolved: true, resolved_at: now - 2 * minute });
    expect(told([alert()], { told: toldBefore('firing', 10 * minute) })).toEqual([]);
    expect(told([over], { told: toldBefore('firing', 10 * minute) })).toEqual([['resolved a1']]);
    expect(told([over], { told: toldBefore('resolved', 10 * minute) })).toEqual([]);
  });
  it('nothing of what was over before they could be told', () => {
    expect(told([alert({ is_resolved: true, resolved_at: now - 2 * minute })])).toEqual([]);
  });
  it('at most every five minutes', () => {
    expect(told([alert()], { last_at: now - 4 * minute })).toEqual([]);
    expect(told([alert()], { last_at: now - 5 * minute })).toEqual([['firing a1']]);
  });
  it('in quiet hours only of what is critical, and of the rest afterwards', () => {
    const warning = alert({ severity: 'warning' });
    expect(told([warning], { quiet: true })).toEqual([]);
    expect(told([alert()], { quiet: true })).toEqual([['firing a1']]);
    expect(told([warning], { quiet: false })).toEqual([['firing a1']]);
  });
  it('again after a day, unless somebody has taken it on', () => {
    const day = { told: toldBefore('firing', 24 * 60 * minute) };
    expect(told([alert()], day)).toEqual([['firing a1']]);
    expect(told([alert({ acknowledged: true })], day)).toEqual([]);
    expect(told([alert({ severity: 'info' })], { ...day, severity_min: 'info' })).toEqual([]);
  });
  it('nothing new while it is muted, but that it is over', () => {
    expect(told([alert({ muted: true })])).toEqual([]);
    const over = alert({ muted: true, is_resolved: true, resolved_at: now - 2 * minute });
    expect(told([over], { told: toldBefore('firing', 10 * minute) })).toEqual([['resolved a1']]);
  });
  it('nothing below the severity that they asked for', () => {
    expect(told([alert({ severity: 'warning' })], { severity_min: 'critical' })).toEqual([]);
  });

  it('of each episode at most twice a day, whatever fires and ends in whatever order', () => {
    const step = fc.record({
      id: fc.integer({ min: 0, max: 5 }),
      ends: fc.boolean(),
      after_s: fc.integer({ min: 1, max: 600 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const alerts = new Map<string, AlertNews>();
        const log = new Map<string, { told: 'firing' | 'resolved'; at: number }>();
        const lines: string[] = [];
        let at = now;
        let last_at: number | null = null;
        for (const { id, ends, after_s } of steps) {
          at += after_s * s;
          const key = `a${id}`;
          const known = alerts.get(key);
          if (known === undefined) alerts.set(key, alert({ id: key, fired_at: at }));
          else if (ends && !known.is_resolved) {
            alerts.set(key, { ...known, is_resolved: true, resolved_at: at });
          }
          const to = recipient({ told: log, last_at });
          for (const { items } of planNotifications([...alerts.values()], [to], at)) {
            expect(at - (last_at ?? 0)).toBeGreaterThanOrEqual(5 * minute);
            last_at = at;
            for (const item of items) {
              lines.push(`${item.told} ${item.alert.id}`);
              log.set(item.alert.id, { told: item.told, at });
            }
          }
        }
        expect(new Set(lines).size).toBe(lines.length);
        for (const line of lines) {
          if (line.startsWith('resolved'))
            expect(lines).toContain(line.replace('resolved', 'firing'));
        }
      }),
    );
  });
});

describe('a message', () => {
  const firing = (one: AlertNews) => ({ alert: one, told: 'firing' as const });

  it('about one alert is that alert', () => {
    expect(composeMessage([firing(alert())])).toEqual({
      subject: '[critical] Gateway pc is offline, Madrid 1',
      text: 'Gateway pc is offline, Madrid 1\nNo heartbeat.',
    });
  });
  it('about forty sensors of one store counts them and names the first', () => {
    const sensors = Array.from({ length: 40 }, (_, i) =>
      firing(
        alert({
          id: `a${i}`,
          alert_type: 'sensor_silent',
          severity: 'warning',
          title: `Sensor door-${i} is silent`,
        }),
      ),
    );
    const { subject, text } = composeMessage(sensors);
    expect(subject).toBe('[warning] 40 alerts in Madrid 1: sensor silent');
    expect(text).toContain('- Sensor door-19 is silent, Madrid 1\n- and 20 more');
  });
  it('about three stores that went together says to look for what they share', () => {
    const stores = [1, 2, 3].map((n) =>
      firing(alert({ id: `a${n}`, store_id: `s${n}`, store: `Madrid ${n}` })),
    );
    const { subject, text } = composeMessage(stores);
    expect(subject).toBe('[critical] 3 alerts in 3 stores: gateway offline');
    expect(text).toMatch(/^3 stores lost their line together/);
    expect(composeMessage(stores.slice(1)).text).not.toContain('together');
  });
  it('says what is over beside what is wrong', () => {
    const over = { alert: alert({ id: 'a2', title: 'Sensor door is silent' }), told: 'resolved' };
    const { subject, text } = composeMessage([firing(alert()), over as never]);
    expect(subject).toBe('[critical] 1 alert in Madrid 1: gateway offline; 1 resolved');
    expect(text).toContain('Resolved: Sensor door is silent, Madrid 1');
  });
});
