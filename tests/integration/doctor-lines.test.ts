import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test, vi } from 'vitest';
import { openPseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { testWith } from '../support/debian-part.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { eventually } from '../support/frames.ts';
import { mountNamespace, noNetwork, ownMounts } from '../support/own-mounts.ts';
import { openRtuLine } from '../support/rtu-unit.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const counter = { source: 'line', profile: 'modbus-counter-16', unit: 5, register: 0 };

testWith(mountNamespace, 'a serial line named by the order of plugging', async () => {
  const line = openRtuLine(() => [1, 2]);
  workspace.onEnd(() => line.terminal.close());
  const store = new DoctoredStore(workspace).sensors(counter).enrolled();
  const source = { name: 'line', kind: 'modbus-rtu', path: '/dev/ttyUSB0', baud: 9600 };
  store.configure({ sources: [source] });
  const folder = workspace.folder();
  const around = await ownMounts(
    workspace,
    `mount -t tmpfs none ${folder}; mkdir ${folder}/real; mount --rbind /dev ${folder}/real
     for each in /dev/*; do ln -s real/\${each#/dev/} ${folder}/; done
     ln -s ${line.path} ${folder}/ttyUSB0; mount --rbind ${folder} /dev
     READY; exec sleep 600`,
  );
  await store.run(around);
  await store.expectFirst('serial_unstable', /\/dev\/ttyUSB0/, around);
});

test('a line on which frames arrive damaged', async () => {
  const line = openPseudoTerminal();
  workspace.onEnd(() => line.close());
  const store = new DoctoredStore(workspace).enrolled();
  store.profile(
    'speaker',
    `transport: serial
serial:
  baud: 9600
  framing: { kind: delimited, start: "02", end: "03", encoding: ascii-hex, checksum: { kind: sum8 } }
codec: { kind: binary, length: 2, fields: [{ name: people, at: 0, type: u16 }] }
mapping:
  measures: [{ target: in, path: people, semantics: cumulative, width: 16 }]
`,
  );
  store.sensors({ source: 'line', profile: 'speaker' });
  store.configure({ sources: [{ name: 'line', kind: 'serial', path: line.path }] });
  await store.run();
  const frames = async () => (await store.status()).sources[0]?.frames ?? 0;
  await eventually('the line', async () => (await store.status()).sources[0]?.state === 'running');
  // Sum 01; the last digit of every second frame is hit by a lorry.
  for (let i = 0; i < 15; i += 1) line.write(Buffer.from('\x02000101\x03\x0200010F\x03'));
  await eventually('the frames', async () => (await frames()) >= 30);
  await store.expectFirst('line_noisy', /15 of 30 frames/);
});

testWith(mountNamespace, 'a device on the network that is away', async () => {
  const bus = { name: 'line', kind: 'modbus-tcp', host: '10.0.0.7' };
  const store = new DoctoredStore(workspace).sensors(counter).enrolled();
  store.configure({ sources: [bus] });
  await store.run(noNetwork);
  await store.expectFirst('host_away', /ENETUNREACH 10\.0\.0\.7/);
});

test('a broker that is there and does not take us', async () => {
  // CONNACK of MQTT 5: no session, 0x88 server unavailable.
  const broker = createServer((socket) => socket.write(Uint8Array.of(0x20, 3, 0, 0x88, 0)));
  await once(broker.listen(0, '127.0.0.1'), 'listening');
  workspace.onEnd(() => broker.close());
  const url = `mqtt://127.0.0.1:${(broker.address() as AddressInfo).port}`;
  const store = new DoctoredStore(workspace).enrolled();
  store.configure({ sources: [{ name: 'building', kind: 'mqtt-connect', url }] });
  await store.run();
  await store.expectFirst('source_failing', /unavailable/i);
});
