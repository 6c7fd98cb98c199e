import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test, vi } from 'vitest';
import type { GatewayStatus } from '../../gateway/status.ts';
import { command, jsonOf } from '../support/process.ts';
import { newStore, run } from '../support/store.ts';
import { Workspace } from '../support/workspace.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const workspace = new Workspace();

/** Modbus TCP: the units there are, each with the registers that it has; the others are silent. */
async function modbusUnits(registers: ReadonlyMap<number, readonly number[]>) {
  const asked: number[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (request) => {
      const [unit = 0, code = 0] = request.subarray(6, 8);
      const [start, count] = [request.readUInt16BE(8), request.readUInt16BE(10)];
      asked.push(unit);
      const values = registers.get(unit)?.slice(start, start + count);
      if (values === undefined) return;
      const isRefused = values.length < count;
      const data = Buffer.alloc(isRefused ? 3 : 3 + 2 * count);
      data.set(isRefused ? [unit, code | 0x80, 2] : [unit, code, 2 * count]);
      for (const [i, value] of isRefused ? [] : values.entries()) {
        data.writeUInt16BE(value, 3 + 2 * i);
      }
      const head = Buffer.alloc(6);
      request.copy(head, 0, 0, 2);
      head.writeUInt16BE(data.length, 4);
      socket.write(Buffer.concat([head, data]));
    });
  }).listen(0, '127.0.0.1');
  workspace.onEnd(() => server.close());
  await once(server, 'listening');
  return { asked, port: (server.address() as AddressInfo).port };
}

test('a scan finds the units that answer and are nobody’s, and leaves nothing in quarantine', async () => {
  const counter = Array.from({ length: 200 }, (_, i) => i + 7);
  const bus = await modbusUnits(
    new Map([
      [1, counter],
      [3, counter],
      [4, [1]],
    ]),
  );
  const store = await newStore(workspace, {
    sources: `  - { name: beams, kind: modbus-tcp, host: 127.0.0.1, port: ${bus.port} }`,
  });
  await run(workspace, store);
  const pair = ['sensor', 'pair', 'door', '--source', 'beams', '--profile', 'modbus-counter-16'];
  await command('footbridge', ...store.of, ...pair, '--unit', '1');
  const scan = ['sensor', 'discover', '--bus', 'beams', '--units', '1-4'];
  const { units } = await jsonOf<{ units: { unit: number; candidates: { profile: string }[] }[] }>(
    'footbridge',
    ...store.of,
    ...scan,
  );
  expect(units.map(({ unit }) => unit)).toEqual([3, 4]);
  expect(units[0]?.candidates.map(({ profile }) => profile)).toContain('modbus-counter-16');
  expect(units[1]?.candidates.map(({ profile }) => profile)).toEqual(['modbus-beam-16']);
  expect(bus.asked.filter((unit) => unit === 2)).toHaveLength(1);
  const seen = await jsonOf<GatewayStatus>('footbridge', ...store.of, 'status');
  expect(seen.buffer.quarantined).toEqual([]);
  const { stdout } = await command('footbridge', ...store.of, ...scan);
  expect(stdout).toContain(
    'sensor pair beams-3 --source beams --profile modbus-counter-16 --unit 3',
  );
  const unknown = await command(
    'footbridge',
    ...store.of,
    'sensor',
    'discover',
    '--bus',
    'sensors',
  );
  expect(unknown.stderr).toContain('known: beams');
});
