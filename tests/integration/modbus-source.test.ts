import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import modbusSerial from 'modbus-serial';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ModbusSource } from '../../gateway/sources/modbus.ts';
import type { ModbusPoll } from '../../gateway/sources/modbus-blocks.ts';
import type { ModbusBus } from '../../gateway/sources/modbus-link.ts';
import { modbusRtuOverTcpBus } from '../../gateway/sources/modbus-rtu.ts';
import { modbusTcpBus } from '../../gateway/sources/modbus-tcp.ts';
import type { Accept } from '../../gateway/sources/source.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { describeWith, pymodbus } from '../support/debian-part.ts';
import { collectFrames, eventually, type FrameLog } from '../support/frames.ts';
import { freePort } from '../support/process.ts';

let cleanups: (() => Promise<void> | void)[] = [];
let log: FrameLog;
beforeEach(() => {
  log = collectFrames();
});
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});

function poll(unit: number, change: Partial<ModbusPoll> = {}): ModbusPoll {
  return {
    address: `unit/${unit}`,
    unit,
    function: 4,
    start: 0,
    count: 2,
    every_ms: 30,
    timeout_ms: 100,
    ...change,
  };
}

async function startSource(
  port: number,
  polls: readonly ModbusPoll[],
  accept: Accept = log.accept,
): Promise<ModbusSource> {
  return startOn(modbusTcpBus('127.0.0.1', port, systemClock), polls, accept);
}

async function startOn(
  bus: ModbusBus,
  polls: readonly ModbusPoll[],
  accept: Accept = log.accept,
): Promise<ModbusSource> {
  const source = new ModbusSource({
    name: 'bus',
    bus,
    accept,
    clock: systemClock,
    log: silentLog,
  });
  source.setPolls(polls);
  await source.start();
  cleanups.push(() => source.stop());
  return source;
}

async function listen(server: Server, port = 0): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** Units 5 and 6 answer, unit 7 knows no such registers, every other unit says nothing. */
async function startDevice(port: number): Promise<() => Promise<void>> {
  const registers: Record<number, number[]> = { 5: [0x0001, 0x1170], 6: [7, 8] };
  const device = new modbusSerial.ServerTCP(
    {
      getInputRegister: (address: number, unit: number) => {
        const value = registers[unit]?.[address];
        if (value !== undefined) return Promise.resolve(value);
        if (unit === 7) return Promise.reject({ modbusErrorCode: 2, msg: 'no such register' });
        return new Promise<number>(() => {});
      },
    },
    { host: '127.0.0.1', port, unitID: 255 },
  );
  device.on('error', () => {});
  await once(device, 'initialized');
  return () => new Promise((resolve) => device.close(() => resolve()));
}

describe('a Modbus TCP device', () => {
  let port: number;
  let stopDevice: () => Promise<void>;
  beforeEach(async () => {
    port = await freePort();
    stopDevice = await startDevice(port);
    cleanups.push(() => stopDevice());
  });

  test('an answer becomes a frame of the register bytes, high byte first', async () => {
    const source = await startSource(port, [poll(5)]);
    await eventually('a frame', () => log.frames.length > 0);
    expect(log.told()[0]).toBe('unit/5 00011170');
    expect(source.status()).toMatchObject({ kind: 'modbus', state: 'running', error: null });
  });

  test('each unit is asked on its own beat', async () => {
    await startSource(port, [poll(5, { every_ms: 20 }), poll(6, { every_ms: 2000 })]);
    await eventually('ten frames', () => log.frames.length >= 10);
    expect(log.told().filter((line) => line === 'unit/6 00070008')).toHaveLength(1);
  });

  test('an exception answer is a fault that names the registers', async () => {
    const source = await startSource(port, [poll(7, { every_ms: 5000 })]);
    await eventually('a fault', () => log.frames.length > 0);
    expect(log.frames[0]).toMatchObject({
      address: 'unit/7',
      bytes: Uint8Array.of(0x84, 2),
      fault: { reason: 'exception_answer' },
    });
    expect(log.frames[0]?.fault?.detail).toContain('function 4, registers 0 to 1');
    expect(source.status().units[0]).toMatchObject({ state: 'faulty' });
    expect(source.status()).toMatchObject({ state: 'failing' });
  });

  test('a dead unit and a refusing one do not stop the others', async () => {
    const source = await startSource(port, [poll(9), poll(7), poll(5), poll(6)]);
    await eventually('frames of both', () => {
      const told = log.told();
      return ['unit/5 00011170', 'unit/6 00070008'].every(
        (line) => told.filter((one) => one === line).length > 5,
      );
    });
    expect(source.status().units[0]).toMatchObject({ address: 'unit/9', state: 'silent' });
    expect(source.status().units[0]?.error).toContain('no answer within 100 ms');
    expect(source.status()).toMatchObject({ state: 'running', error: null });
  });

  test('a bus whose only unit is silent is failing', async () => {
    const source = await startSource(port, [poll(9)]);
    await eventually('failing', () => source.status().state === 'failing');
    expect(source.status().error).toContain('unit/9: no answer within 100 ms');
  });

  test('a unit is not asked again before its frame is on disk', async () => {
    const release: (() => void)[] = [];
    let offered = 0;
    await startSource(port, [poll(5)], () => {
      offered += 1;
      return new Promise((resolve) => release.push(resolve));
    });
    await eventually('the first frame', () => offered === 1);
    await systemClock.sleep(200);
    expect(offered).toBe(1);
    release[0]?.();
    await eventually('the second frame', () => offered === 2);
  });

  test('a unit paired while running is asked at once', async () => {
    const source = await startSource(port, []);
    await eventually('connected', () => source.status().state === 'running');
    source.setPolls([poll(6)]);
    await eventually('a frame', () => log.told().includes('unit/6 00070008'), 200);
  });

  test('a device that restarts is read again', async () => {
    const source = await startSource(port, [poll(5)]);
    await eventually('a frame', () => log.frames.length > 0);
    await stopDevice();
    await eventually('failing', () => source.status().state === 'failing');
    expect(source.status().error).toMatch(/closed the connection|ECONNRESET|ECONNREFUSED/);
    const before = log.frames.length;
    stopDevice = await startDevice(port);
    await eventually('a frame after the restart', () => log.frames.length > before);
    expect(source.status().state).toBe('running');
  });

  test('stop ends it in the middle of a request', async () => {
    const source = await startSource(port, [poll(9, { timeout_ms: 10_000 })]);
    await eventually('connected', () => source.status().state === 'running');
    const from = systemClock.monotonic();
    await source.stop();
    expect(systemClock.monotonic() - from).toBeLessThan(500);
    expect(source.status().state).toBe('stopped');
  });
});

test('a device that is not there is a state, not a failed start', async () => {
  const source = await startSource(await freePort(), [poll(5)]);
  await eventually('failing', () => source.status().state === 'failing');
  expect(source.status().error).toContain('ECONNREFUSED');
});

describe('a device that answers late', () => {
  /** Answers every request for registers 0..1 with 111 after the timeout, others with 222 in time. */
  async function startLateDevice(lateTransaction: (asked: number) => number): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('data', (request) => {
        const isFirst = request.readUInt16BE(8) === 0;
        const answer = Buffer.from('0000000000070504040000', 'hex');
        const whole = Buffer.concat([answer, Buffer.of(0, isFirst ? 111 : 222)]);
        const asked = request.readUInt16BE(0);
        whole.writeUInt16BE(isFirst ? lateTransaction(asked) : asked, 0);
        systemClock.after(isFirst ? 300 : 150, () => socket.write(whole));
      });
    });
    const port = await listen(server);
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return port;
  }

  test.each([
    ['with its own transaction', (asked: number) => asked],
    ['with the transaction that comes next', (asked: number) => asked + 1],
  ])('%s: the answer is never taken for other registers', async (_, lateTransaction) => {
    const port = await startLateDevice(lateTransaction);
    await startSource(port, [
      poll(5, { address: 'unit/5/slow', start: 0, timeout_ms: 200 }),
      poll(5, { address: 'unit/5/quick', start: 16, timeout_ms: 250 }),
    ]);
    await eventually('three polls', () => log.frames.length >= 3);
    await systemClock.sleep(400);
    expect(new Set(log.told())).toEqual(new Set(['unit/5/quick 000000de']));
  });

  test('an answer of another unit is no answer', async () => {
    const port = await startLateDevice((asked) => asked);
    const source = await startSource(port, [poll(6, { start: 16, timeout_ms: 250 })]);
    await eventually('silent', () => source.status().units[0]?.state === 'silent');
    expect(log.frames).toEqual([]);
    expect(source.status().units[0]?.error).toContain('expected address 6 got 5');
  });
});

describeWith(pymodbus, 'a Modbus TCP server of another make', () => {
  test('its two-word value arrives whole, and its exception is a fault', async () => {
    const port = await startPymodbus();
    await startSource(port, [
      poll(5, { count: 4 }),
      poll(5, { address: 'unit/5/absent', start: 100 }),
    ]);
    await expectBoth();
  });

  test('and so they do over RTU', async () => {
    const bus = modbusRtuOverTcpBus('127.0.0.1', await startPymodbus('rtu'), systemClock);
    await startOn(bus, [poll(5, { count: 4 }), poll(5, { address: 'unit/5/absent', start: 100 })]);
    await expectBoth();
  });

  async function startPymodbus(...parameters: string[]): Promise<number> {
    const script = path.join(import.meta.dirname, '../../../tests/support/pymodbus-server.py');
    const server = spawn('/usr/bin/python3', [script, ...parameters], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    cleanups.push(async () => {
      server.kill();
      await once(server, 'exit');
    });
    const [line] = await once(createInterface(server.stdout), 'line');
    return Number(line);
  }

  async function expectBoth(): Promise<void> {
    await eventually('both', () => new Set(log.told()).size === 2, 10_000);
    expect(new Set(log.told())).toEqual(
      new Set(['unit/5 0001000a00000007', 'unit/5/absent exception_answer']),
    );
  }
});
