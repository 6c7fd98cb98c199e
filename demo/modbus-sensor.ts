/** A Modbus TCP device: FC04, per unit two 16-bit registers, 0 people in and 1 people out. */
import { once } from 'node:events';
import modbusSerial from 'modbus-serial';
import { freePort } from './free-port.ts';
import type { PolledCounter } from './polled-counter.ts';

/**
 * Counters begin here, so that they wrap while somebody watches. Who leaves came before, so the second one
 * never stands at 0 beside the first: both at 0 is what a device shows that has lost its line.
 */
export const modbus_start = { in: 65_534, out: 65_533 };

export interface ModbusDevice {
  readonly port: number;
  close(): Promise<void>;
}

const illegalDataAddress = { modbusErrorCode: 2, msg: 'no such register' };

export async function startModbusDevice(
  counters: ReadonlyMap<number, PolledCounter>,
): Promise<ModbusDevice> {
  // modbus-serial takes port 0 for "not given" and would listen on 502.
  const port = await freePort();
  const server = new modbusSerial.ServerTCP(
    {
      // Both registers at once: asked one by one, a person could pass between them.
      getMultipleInputRegisters: (start: number, count: number, unit: number) => {
        const counter = counters.get(unit);
        if (counter === undefined) return silence(count);
        if (start + count > 2) throw illegalDataAddress;
        const sums = counter.read();
        return [sums.in, sums.out].slice(start, start + count);
      },
    },
    { host: '127.0.0.1', port, unitID: 255 },
  );
  server.on('error', () => {});
  await once(server, 'initialized');
  return { port, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A unit that is not on the bus does not answer at all. */
function silence(count: number): number[] {
  return Array.from({ length: count }, () => new Promise(() => {})) as unknown as number[];
}
