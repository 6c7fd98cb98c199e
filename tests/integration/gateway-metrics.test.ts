import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { command } from '../support/process.ts';
import { crossing, newStore, run, sensorClient } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

test('a gateway tells Prometheus what it counted and what waits, to who has the PIN', async () => {
  const pin_file = join(workspace.folder(), 'pin');
  writeFileSync(pin_file, '4711\n');
  const store = await newStore(workspace, { page: `pin_file: ${pin_file}` });
  await run(workspace, store);
  const options = ['--profile', 'json-crossing', '--topic', 'door'];
  await command('footbridge', ...store.of, 'sensor', 'pair', 'front-door', ...options);
  const client = await sensorClient(workspace, store);
  await client.publishAsync('door', crossing(1, 'in'), { qos: 1 });
  await client.publishAsync('door', 'noise', { qos: 1 });

  const ask = (pin: string) =>
    fetch(`${store.page}/metrics`, {
      headers: { authorization: `Basic ${Buffer.from(`prometheus:${pin}`).toString('base64')}` },
    });
  expect((await fetch(`${store.page}/metrics`)).status).toBe(401);
  expect((await ask('4712')).status).toBe(401);
  const answer = await ask('4711');
  expect(answer.headers.get('content-type')).toContain('version=0.0.4');
  const lines = (await answer.text()).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'gateway_readings_stored_total 1',
      'gateway_readings_coalesced_total 0',
      'gateway_readings_buffered 1',
      'gateway_commits_failing 0',
      'gateway_enrolled 0',
      'gateway_source_up{source="sensors"} 1',
      'gateway_source_frames_total{source="sensors"} 2',
    ]),
  );
  expect(lines.join('\n')).toMatch(/^gateway_quarantined_total\{source="sensors",.*\} 1$/m);
  expect(lines.join('\n')).toMatch(
    /^gateway_sensor_last_seen_timestamp_seconds\{sensor="front-door"\} \d{10}/m,
  );
});
