/** Modbus TCP devices of a test. */
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import type { Workspace } from './workspace.ts';

export interface ModbusUnits {
  /** Units in the order in which they were asked. */
  readonly asked: number[];
  readonly port: number;
}

/** The units there are, each with the registers that it has; the others are silent. */
export async function modbusUnits(
  workspace: Workspace,
  registers: (unit: number) => readonly number[] | undefined,
  at: { host?: string; port?: number } = {},
): Promise<ModbusUnits> {
  const asked: number[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (request) => {
      const [unit = 0, code = 0] = request.subarray(6, 8);
      const [start, count] = [request.readUInt16BE(8), request.readUInt16BE(10)];
      asked.push(unit);
      const values = registers(unit)?.slice(start, start + count);
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
  }).listen(at.port ?? 0, at.host ?? '127.0.0.1');
  workspace.onEnd(() => server.close());
  await once(server, 'listening');
  return { asked, port: (server.address() as AddressInfo).port };
}
