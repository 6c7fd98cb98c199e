/**
 * The path of one reading, step by step, through the two real programs: what README.md tells a
 * newcomer to type, and what DESIGN promises about it.
 */
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { GatewayStatus } from '../../gateway/status.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { command, end, freePort, jsonOf, listening, service } from '../support/process.ts';

interface Hour {
  readonly start_time: string;
  readonly local_hour: number;
  readonly sensor_id: string;
  readonly total_in: number;
  readonly total_out: number;
}
interface Alert {
  readonly alert_type: string;
  readonly state: string;
}

const folder = mkdtempSync(join(tmpdir(), 'footbridge-e2e-'));
const hq_data = ['--data-dir', join(folder, 'hq')];
const config = ['--config', join(folder, 'footbridge.yaml')];
const people = ['manager@pune.example', 'manager@other.example'] as const;
let hq: ChildProcess;
let gateway: ChildProcess;
let sensor: MqttClient;
let hq_port: number;
let mqtt_port: number;
let token: string;

const onHq = <T>(...parameters: string[]) => jsonOf<T>('footbridge-hq', ...parameters, ...hq_data);
const inStore = <T>(...parameters: string[]) => jsonOf<T>('footbridge', ...config, ...parameters);
const enrollment = () => ['enroll', '--hq', `http://127.0.0.1:${hq_port}`, '--token', token];

const hours = async (person: string = people[0]) => {
  const asked = ['report', 'hours', '--org', 'acme', '--store', 'pune', '--as', person];
  return (await onHq<{ hours: Hour[] }>(...asked)).hours;
};
const alerts = async () =>
  (await onHq<{ alerts: Alert[] }>('report', 'alerts', '--org', 'acme', '--as', people[0])).alerts;

/** Asks again until the answer holds, for what takes HQ a moment. */
async function until<T>(ask: () => Promise<T>, holds: (answer: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 40; tries += 1) {
    const answer = await ask();
    if (holds(answer)) return answer;
    await systemClock.sleep(250);
  }
  return ask();
}

/** The hour before the last full one, so that no clock is ahead of it. */
const hour = Math.floor(systemClock.now() / 3_600_000) * 3_600_000 - 2 * 3_600_000;
/** Minute `m` after :00 UTC; Kolkata's hours begin at :30. */
const minute = (m: number, people_in: number) => ({
  id: `m${m}`,
  from: new Date(hour + m * 60_000).toISOString(),
  to: new Date(hour + (m + 1) * 60_000).toISOString(),
  in: people_in,
  out: 1,
});

beforeAll(async () => {
  hq_port = await freePort();
  mqtt_port = await freePort();
  writeFileSync(
    join(folder, 'footbridge.yaml'),
    `data_dir: ${folder}/store
heartbeat_interval_s: 1
send_interval_s: 0.2
retry_max_s: 1
sources:
  - { name: sensors, kind: mqtt-listen, host: 127.0.0.1, port: ${mqtt_port} }
`,
  );
});

afterAll(async () => {
  await sensor?.endAsync(true);
  for (const process of [gateway, hq]) if (process !== undefined) await end(process);
  rmSync(folder, { recursive: true, force: true });
});

test('1. HQ serves on a database of its own', async () => {
  const address = ['--listen', `127.0.0.1:${hq_port}`, '--heartbeat-grace-s', '3'];
  hq = service('footbridge-hq', 'serve', ...hq_data, ...address);
  await listening(hq_port, 60_000);
  expect((await fetch(`http://127.0.0.1:${hq_port}/readyz`)).status).toBe(200);
});

test('2. HQ knows an organization, two stores, their managers, and invites a gateway', async () => {
  await onHq('org', 'add', '--slug', 'acme', '--name', 'Acme');
  for (const [i, code] of ['pune', 'other'].entries()) {
    const store = ['--code', code, '--name', code, '--timezone', 'Asia/Kolkata'];
    await onHq('store', 'add', '--org', 'acme', ...store);
    const person = ['--email', people[i] ?? '', '--role', 'store_manager', '--store', code];
    await onHq('user', 'add', '--org', 'acme', ...person);
  }
  const invited = await onHq<{ token: string }>(
    'gateway',
    'invite',
    '--org',
    'acme',
    '--store',
    'pune',
  );
  token = invited.token;
  expect(token).toMatch(/^fbt_/);
});

test('3. the gateway counts before it is enrolled', async () => {
  gateway = service('footbridge', ...config, 'run');
  await listening(mqtt_port);
  await inStore('sensor', 'pair', 'front-door', '--profile', 'json-interval', '--topic', 'door');
  sensor = await mqtt.connectAsync(`mqtt://127.0.0.1:${mqtt_port}`, { reconnectPeriod: 100 });
  await sensor.publishAsync('door', JSON.stringify(minute(10, 3)), { qos: 1 });
  const { buffer, uplink } = await inStore<GatewayStatus>('status');
  expect(buffer.buffered).toBe(1);
  expect(uplink.enrolled).toBeNull();
});

test('4. it enrols with the token, and what it had counted arrives', async () => {
  await inStore(...enrollment());
  const status = await until(
    () => inStore<GatewayStatus>('status'),
    ({ buffer }) => buffer.buffered === 0,
  );
  expect(status.uplink.enrolled).toMatchObject({ store: 'pune', timezone: 'Asia/Kolkata' });
});

test('5. the token opens nothing a second time, and says what to do', async () => {
  const other = join(folder, 'other-gateway');
  const { code, stderr } = await command('footbridge', '--data-dir', other, ...enrollment());
  expect(code).toBe(1);
  expect(stderr).toContain('token_used');
  expect(stderr).toContain('footbridge-hq gateway invite');
});

test('6. readings stand in the hours of the store: Kolkata’s begin at half past', async () => {
  await sensor.publishAsync('door', JSON.stringify(minute(29, 4)), { qos: 1 });
  await sensor.publishAsync('door', JSON.stringify(minute(30, 5)), { qos: 1 });
  const found = await until(
    hours,
    (rows) => rows.reduce((sum, row) => sum + row.total_in, 0) === 12,
  );
  expect(
    found.map((row) => [Date.parse(row.start_time) - hour, row.total_in, row.total_out]),
  ).toEqual([
    [-30 * 60_000, 7, 2],
    [30 * 60_000, 5, 1],
  ]);
});

test('7. a message that comes twice is counted once', async () => {
  await sensor.publishAsync('door', JSON.stringify(minute(30, 5)), { qos: 1 });
  await sensor.publishAsync('door', JSON.stringify(minute(31, 2)), { qos: 1 });
  const found = await until(hours, (rows) =>
    rows.some((row) => row.total_in === 7 && row.total_out === 2),
  );
  expect(found.reduce((sum, row) => sum + row.total_in, 0)).toBe(14);
});

test('8. the manager of another store sees none of it', async () => {
  await expect(hours(people[1])).rejects.toThrow('no store with this code');
});

test('9. HQ raises one alert when the gateway is gone, which recovers when it is back', async () => {
  await end(gateway, 'SIGKILL');
  const raised = await until(alerts, (all) => all.length > 0);
  expect(raised).toMatchObject([{ alert_type: 'gateway_offline', state: 'firing' }]);
  gateway = service('footbridge', ...config, 'run');
  const back = await until(alerts, (all) => all.every(({ state }) => state === 'recovering'));
  expect(back).toMatchObject([{ alert_type: 'gateway_offline', state: 'recovering' }]);
}, 40_000);

test('10. what is counted while HQ is away arrives when it is back', async () => {
  await end(hq);
  await listening(mqtt_port);
  await sensor.publishAsync('door', JSON.stringify(minute(32, 6)), { qos: 1 });
  hq = service('footbridge-hq', 'serve', ...hq_data, '--listen', `127.0.0.1:${hq_port}`);
  await listening(hq_port, 60_000);
  const found = await until(
    hours,
    (rows) => rows.reduce((sum, row) => sum + row.total_in, 0) === 20,
  );
  expect(found.reduce((sum, row) => sum + row.total_in, 0)).toBe(20);
}, 60_000);

test('11. HQ says what a sensor is called, and sees that it is', async () => {
  const of = ['--org', 'acme'];
  const { gateways } = await onHq<{ gateways: { gateway_id: string }[] }>('gateway', 'list', ...of);
  of.push('--gateway', gateways[0]?.gateway_id ?? '');
  const file = join(folder, 'names.json');
  const sensors = [{ sensor_id: 'front-door', name: 'Main entrance' }];
  writeFileSync(file, JSON.stringify({ sensors, zones: [] }));
  const wrong = ['gateway', 'configure', ...of, '--file', file, ...hq_data];
  const refused = await command('footbridge-hq', ...wrong);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('"zones"')]);
  writeFileSync(file, JSON.stringify({ sensors }));
  await onHq('gateway', 'configure', ...of, '--file', file);
  const seen = await until(
    () => onHq<{ applied_version: number }>('gateway', 'configuration', ...of),
    ({ applied_version }) => applied_version === 1,
  );
  expect(seen).toMatchObject({ version: 1, applied_version: 1, refused: null });
  const status = await inStore<GatewayStatus>('status');
  expect(status.sensors.map(({ name }) => name)).toEqual(['Main entrance']);
}, 40_000);

test('12. a revoked gateway keeps its counts and says what is wrong', async () => {
  const { gateways } = await onHq<{ gateways: { gateway_id: string }[] }>(
    'gateway',
    'list',
    '--org',
    'acme',
  );
  await onHq('gateway', 'revoke', '--org', 'acme', '--gateway', gateways[0]?.gateway_id ?? '');
  await sensor.publishAsync('door', JSON.stringify(minute(33, 1)), { qos: 1 });
  const status = await until(
    () => inStore<GatewayStatus>('status'),
    ({ uplink }) => uplink.sync?.state === 'refused',
  );
  expect(status.buffer.buffered).toBe(1);
  const { code, stdout } = await command('footbridge', ...config, 'doctor');
  expect(code).toBe(1);
  expect(stdout).toContain('footbridge enroll');
});
