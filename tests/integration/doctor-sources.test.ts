import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { expect, test, vi } from 'vitest';
import { certificates } from '../support/certificates.ts';
import { describeWith, openssl, testWith } from '../support/debian-part.ts';
import { asOrdinaryUser, DoctoredStore } from '../support/doctored-store.ts';
import { end, freePort, listening } from '../support/process.ts';
import { heardAt, openRtuLine, type RtuLine, speedOf } from '../support/rtu-unit.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const newStore = () => new DoctoredStore(workspace);
const counter = { profile: 'modbus-counter-16', source: 'line', register: 0 };

async function onLine(line: Pick<RtuLine, 'path'>, ...sensors: object[]): Promise<DoctoredStore> {
  const source = { name: 'line', kind: 'modbus-rtu', path: line.path, baud: 9600 };
  const store = newStore().sensors(...sensors.map((one) => ({ ...counter, ...one })));
  return store.configure({ sources: [source] });
}

function rtuLine(...parameters: Parameters<typeof openRtuLine>): RtuLine {
  const line = openRtuLine(...parameters);
  workspace.onEnd(() => line.terminal.close());
  return line;
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  workspace.onEnd(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A store that connects to a broker at this address. */
async function connecting(url: string, extra: object = {}): Promise<DoctoredStore> {
  const source = { name: 'building', kind: 'mqtt-connect', url, ...extra };
  const store = newStore().configure({ sources: [source] });
  await store.run();
  return store;
}

test('a port that another program has', async () => {
  const port = await listen(createServer());
  const source = { name: 'sensors', kind: 'mqtt-listen', host: '127.0.0.1', port };
  const store = newStore().configure({ sources: [source] });
  await store.run();
  await store.expectFirst('port_taken', new RegExp(`\\(process ${process.pid}\\) has it`));
});

test('a serial line that another program has open', async () => {
  const line = rtuLine(() => [1, 2]);
  const other = spawn('flock', [line.path, 'sleep', '60'], { stdio: 'ignore' });
  workspace.onEnd(() => end(other));
  const store = await onLine(line, { unit: 5 });
  await store.run();
  await store.expectFirst('serial_taken', /sleep 60|flock/);
});

test('a serial line that the account may not open', async () => {
  const line = rtuLine(() => [1, 2]);
  chmodSync(line.path, 0o000);
  const store = await onLine(line, { unit: 5 });
  await store.run(asOrdinaryUser);
  await store.expectFirst('serial_forbidden', /Permission denied/);
});

test('a serial line that is not there', async () => {
  const store = await onLine({ path: '/dev/serial/by-id/usb-gone-port0' }, { unit: 5 });
  await store.run();
  await store.expectFirst('serial_missing', /No such file/);
});

test('a line of another speed: what is heard are other bytes', async () => {
  const line = rtuLine(
    () => [4660, 22136],
    (bytes, path) => heardAt(bytes, { sent_baud: 19_200, read_baud: speedOf(path) }),
  );
  const store = await onLine(line, { unit: 5 });
  await store.run();
  await store.expectFirst('line_garbled', /heard [0-9a-f]+ instead/);
});

test('a line with A and B swapped: its rest is heard as zeros', async () => {
  const line = openRtuLine(() => null);
  workspace.onEnd(() => line.terminal.close());
  // The unit understands no request; each time the driver lets go, the rest reads as a break.
  line.terminal.onData(() => {
    line.terminal.write(
      heardAt(Uint8Array.of(), { sent_baud: 9600, read_baud: 9600, inverted: true }),
    );
  });
  const store = await onLine(line, { unit: 5 });
  await store.run();
  await store.expectFirst('line_swapped', /heard (00)+ instead/);
});

test('a line on which nobody answers', async () => {
  const store = await onLine(
    rtuLine(() => null),
    { unit: 5 },
    { unit: 6 },
  );
  await store.run();
  await store.expectFirst('line_silent', /unit\/5.*no answer within/);
});

test('one dead unit among others', async () => {
  const line = rtuLine((unit) => (unit === 6 ? null : [1, 2]));
  const store = await onLine(line, { unit: 5 }, { unit: 6 });
  await store.run();
  await store.expectFirst('unit_silent', /no answer within 1000 ms/);
});

test('a unit without such registers', async () => {
  const line = rtuLine((unit) => (unit === 6 ? 'exception' : [1, 2]));
  const store = await onLine(line, { unit: 5 }, { unit: 6 });
  await store.run();
  await store.expectFirst('unit_refuses', /Illegal data address.*registers 0 to 1/);
});

test('a broker’s machine without a broker', async () => {
  const store = await connecting(`mqtt://127.0.0.1:${await freePort()}`);
  await store.expectFirst('host_refuses', /ECONNREFUSED/);
});

test('a broker whose name nobody knows', async () => {
  const store = await connecting('mqtt://broker.invalid');
  await store.expectFirst('host_unknown', /broker\.invalid.*(ENOTFOUND|EAI_AGAIN)/);
});

test('a device that was turned away', async () => {
  const store = newStore().sensors({ profile: 'json-total', topic: 'door' }).enrolled();
  await store.listening({ allow_anonymous: false });
  await store.run();
  await listening(store.port);
  await expect(store.tryPublish('door', 'stranger')).rejects.toThrow(/not authorized/i);
  await store.expectFirst('device_refused', /1 times, the last/);
});

testWith(
  openssl,
  'certificates of a broker: expired, early, misnamed, of a stranger',
  async () => {
    const folder = workspace.folder();
    const made = certificates(folder);
    const cases = [
      ['certificate_expired', made.dated('old', -30, -3, 'IP:127.0.0.1')],
      ['certificate_early', made.dated('early', 3, 30, 'IP:127.0.0.1')],
      ['certificate_misnamed', made.dated('other', -3, 30, 'DNS:elsewhere.example')],
      ['certificate_untrusted', certificates(workspace.folder()).server],
    ] as const;
    for (const [code, { cert, key }] of cases) {
      const options = { cert: readFileSync(cert), key: readFileSync(key) };
      const port = await listen(createTlsServer(options));
      const tls = { ca_file: made.authority };
      const store = await connecting(`mqtts://127.0.0.1:${port}`, { tls });
      await store.expectFirst(code, /mqtts:\/\/127/);
    }
  },
  90_000,
);

testWith(openssl, 'our own certificate, expired', async () => {
  const { cert, key } = certificates(workspace.folder()).dated('old', -30, -3, 'IP:127.0.0.1');
  const store = await newStore().listening({ tls: { cert_file: cert, key_file: key } });
  await store.run();
  await store.expectFirst('listener_certificate', /sensors: .*until \d{4}-/);
});

const mosquitto = { name: 'mosquitto', isInstalled: () => existsSync('/usr/sbin/mosquitto') };

describeWith(mosquitto, 'a broker on this machine', () => {
  async function broker(...settings: string[]): Promise<number> {
    const folder = workspace.folder();
    const port = await freePort();
    chmodSync(folder, 0o755);
    const file = join(folder, 'mosquitto.conf');
    writeFileSync(file, [`listener ${port} 127.0.0.1`, ...settings, ''].join('\n'));
    const running = spawn('/usr/sbin/mosquitto', ['-c', file], { stdio: 'ignore' });
    workspace.onEnd(() => end(running));
    await listening(port);
    return port;
  }

  test('that refuses the login', async () => {
    const store = await connecting(`mqtt://127.0.0.1:${await broker('allow_anonymous false')}`);
    await store.expectFirst('broker_refuses', /not authorized/i);
  });

  test('that keeps what it acknowledged in memory', async () => {
    const port = await broker('allow_anonymous true');
    const url = `mqtt://127.0.0.1:${port}`;
    const source = { name: 'building', kind: 'mqtt-connect', url };
    const sensor = { source: 'building', profile: 'json-total', topic: 'door' };
    const store = newStore()
      .configure({ sources: [source] })
      .sensors(sensor)
      .enrolled();
    await store.run();
    await store.expectFirst('broker_forgets', /persistence false, autosave_interval 1800/);
  });
});
