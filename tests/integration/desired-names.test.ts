/** What HQ wants sensors and zones to be called, from the operator's command to the running daemon. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { configurationOf, configureGateway } from '../../cloud-sync/gateways/configuration.ts';
import { listGateways } from '../../cloud-sync/gateways/registry.ts';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, eventually, type Hq, openHq, type TestStore } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

const ceiling = { sensor_id: 'ceiling', name: 'Ceiling', profile: 'json-zone', topic: 'ceiling' };

describe('names that HQ wants', () => {
  let hq: Hq;
  let store: TestStore;
  beforeAll(async () => {
    hq = await openHq(anyEngine);
    store = await addTestStore(hq);
  });
  afterAll(() => hq.close());

  const wanted = (gateway_id: string, sensors: object[], regions: object[] = []) =>
    configureGateway(hq.db, store.organization, gateway_id, { sensors, regions } as never);
  const atHq = (gateway_id: string) => configurationOf(hq.db, store.organization, gateway_id);

  test('are in use with the next heartbeat, and nothing that counts notices', async () => {
    const daemon = await DaemonAtHq.at(hq, store, workspace, { sensors: [ceiling] });
    await daemon.start();
    await daemon.count(1, 5);
    const before = await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 5);
    const { version } = await wanted(
      daemon.gateway_id,
      [{ sensor_id: 'door', name: 'Main entrance' }],
      [{ sensor_id: 'ceiling', region_id: '1', name: 'Checkout' }],
    );
    const after = await daemon.until('in use', ({ configuration }) => configuration.version === 1);
    expect(version).toBe(1);
    expect(after.sensors.map(({ name }) => name)).toEqual(['Main entrance', 'Ceiling']);
    expect(after.buffer).toEqual({ ...before.buffer, bytes: after.buffer.bytes });
    const file = JSON.parse(readFileSync(join(daemon.data, 'sensors.json'), 'utf8'));
    expect(file.sensors[1].regions).toEqual([{ region_id: '1', name: 'Checkout' }]);

    // A message that was counted under the old name is the same message.
    await daemon.count(5, 6);
    await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 6);
    const seen = await eventually(
      () => atHq(daemon.gateway_id),
      ({ applied_version }) => applied_version === 1,
    );
    expect(seen).toMatchObject({ version: 1, applied_version: 1, refused: null });
    const names = await eventually(
      () =>
        hq.asOwner<{ name: string }>(
          `select name from public.sensor_metadata where store_id = $1 and gateway_id = $2
           and sensor_id = 'door'`,
          [store.store_id, daemon.gateway_id],
        ),
      ([row]) => row?.name === 'Main entrance',
    );
    expect(names).toEqual([{ name: 'Main entrance' }]);
  });

  test('are taken whole or not at all, and once they fit', async () => {
    const daemon = await DaemonAtHq.at(hq, store, workspace);
    await daemon.start();
    await wanted(daemon.gateway_id, [{ sensor_id: 'door', name: 'Door A' }]);
    await daemon.until('in use', ({ configuration }) => configuration.version === 1);
    await wanted(daemon.gateway_id, [
      { sensor_id: 'door', name: 'Door B' },
      { sensor_id: 'back-door', name: 'Back door' },
    ]);
    const refused = await daemon.until('refused', (seen) => seen.configuration.refused !== null);
    expect(refused.configuration).toEqual({
      version: 1,
      refused: { version: 2, detail: expect.stringContaining('"back-door"') },
    });
    expect(refused.sensors.map(({ name }) => name)).toEqual(['Door A']);
    const gateways = () => listGateways(hq.db, store.organization, store.code);
    const [listed] = await eventually(
      async () => (await gateways()).filter((one) => one.gateway_id === daemon.gateway_id),
      ([row]) => row?.configuration_fault !== null,
    );
    expect(listed).toMatchObject({ configuration_wanted: 2, configuration_applied: 1 });
    expect(listed?.configuration_fault).toContain('"back-door"');

    await daemon.kill();
    const file = join(daemon.data, 'sensors.json');
    const { sensors } = JSON.parse(readFileSync(file, 'utf8'));
    const back = { ...sensors[0], sensor_id: 'back-door', topic: 'back-door' };
    writeFileSync(file, JSON.stringify({ sensors: [...sensors, back] }));
    await daemon.start();
    const taken = await daemon.until('in use', ({ configuration }) => configuration.version === 2);
    expect(taken.sensors.map(({ name }) => name)).toEqual(['Door B', 'Back door']);
    expect(taken.configuration.refused).toBeNull();
  });

  test('what is no configuration at all is refused with its first mistake', async () => {
    const daemon = await DaemonAtHq.at(hq, store, workspace);
    await daemon.start();
    await wanted(daemon.gateway_id, [{ sensor_id: 'door', name: '' }]);
    const { configuration } = await daemon.until(
      'refused',
      (seen) => seen.configuration.refused !== null,
    );
    expect(configuration.refused?.detail).toMatch(/sensors\.0\.name/);
  });

  test('zones of what counts a line are refused', async () => {
    const daemon = await DaemonAtHq.at(hq, store, workspace);
    await daemon.start();
    await wanted(daemon.gateway_id, [], [{ sensor_id: 'door', region_id: '1', name: 'Checkout' }]);
    const { configuration } = await daemon.until(
      'refused',
      (seen) => seen.configuration.refused !== null,
    );
    expect(configuration.refused?.detail).toMatch(/door counts a line/);
  });

  test('of one gateway say nothing to another', async () => {
    const one = await DaemonAtHq.at(hq, store, workspace);
    const other = await DaemonAtHq.at(hq, await addTestStore(hq), workspace);
    await one.start();
    await other.start();
    await wanted(one.gateway_id, [{ sensor_id: 'door', name: 'Main entrance' }]);
    await one.until('in use', ({ configuration }) => configuration.version === 1);
    await other.count(1);
    const seen = await other.until('heard', ({ uplink }) => uplink.clock_skew_ms !== null);
    expect(seen.sensors.map(({ name }) => name)).toEqual(['Door']);
    await expect(
      configureGateway(hq.db, store.organization, other.gateway_id, { sensors: [], regions: [] }),
    ).rejects.toMatchObject({ code: 'gateway_unknown' });
  });
});
