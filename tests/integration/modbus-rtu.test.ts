import { once } from 'node:events';
import { rmSync, symlinkSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openPseudoTerminal, type PseudoTerminal } from '../../demo/pseudo-terminal.ts';
import { checksumOf } from '../../gateway/sources/checksum.ts';
import { ModbusSource } from '../../gateway/sources/modbus.ts';
import type { ModbusPoll } from '../../gateway/sources/modbus-blocks.ts';
import type { ModbusBus } from '../../gateway/sources/modbus-link.ts';
import { modbusRtuBus, modbusRtuOverTcpBus } from '../../gateway/sources/modbus-rtu.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { collectFrames, eventually, type FrameLog } from '../support/frames.ts';
import { Workspace } from '../support/workspace.ts';

/** The units' end of a line. */
interface Line {
  readonly bus: ModbusBus;
  plug(): Promise<void>;
  unplug(): Promise<void>;
  write(bytes: Uint8Array): void;
  onData(take: (bytes: Buffer) => void): void;
}

function framed(...bytes: number[]): Buffer {
  return Buffer.concat([Buffer.from(bytes), checksumOf('crc16-modbus', Uint8Array.from(bytes))]);
}

function poll(unit: number, start: number, change: Partial<ModbusPoll> = {}): ModbusPoll {
  const address = `unit/${unit}/register/${start}`;
  const block = { function: 4, count: 2 } as const;
  return { address, unit, start, ...block, every_ms: 40, timeout_ms: 150, ...change };
}

function lineSuite(openLine: () => Promise<Line>): void {
  let line: Line;
  let log: FrameLog;
  let source: ModbusSource | undefined;
  /** Unit, first register and count of each request, in order. */
  let asked: string[];
  /** Registers that exist in every unit; one that is missing is an exception. */
  let registers: Record<number, number>;
  let silent: Set<number>;
  let delay_ms: (start: number) => number;

  function answer(request: Buffer): void {
    const [unit = 0, code = 0] = request;
    const [start, count] = [request.readUInt16BE(2), request.readUInt16BE(4)];
    asked.push(`${unit}:${start}+${count}`);
    if (silent.has(unit)) return;
    const values = Array.from({ length: count }, (_, i) => registers[start + i]);
    const bytes = values.flatMap((value) => [(value ?? 0) >> 8, (value ?? 0) & 0xff]);
    const whole = values.includes(undefined)
      ? framed(unit, code | 0x80, 2)
      : framed(unit, code, bytes.length, ...bytes);
    systemClock.after(delay_ms(start), () => line.write(whole));
  }

  beforeEach(async () => {
    log = collectFrames();
    asked = [];
    registers = { 0: 1, 1: 0x1170, 2: 2, 3: 3, 10: 7, 11: 8, 12: 9 };
    silent = new Set();
    delay_ms = () => 2;
    line = await openLine();
    await line.plug();
    let bytes = Buffer.alloc(0);
    line.onData((chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      for (; bytes.length >= 8; bytes = bytes.subarray(8)) answer(bytes.subarray(0, 8));
    });
  });

  afterEach(async () => {
    await source?.stop();
    source = undefined;
    await line.unplug();
  });

  async function start(...polls: ModbusPoll[]): Promise<ModbusSource> {
    const { bus } = line;
    source = new ModbusSource({
      ...{ name: 'line', bus, accept: log.accept },
      ...{ clock: systemClock, log: silentLog },
    });
    source.setPolls(polls);
    await source.start();
    return source;
  }

  test('two doors of one unit are one request and two frames', async () => {
    const running = await start(poll(5, 0), poll(5, 2));
    await eventually('both', () => new Set(log.told()).size === 2);
    expect(new Set(log.told())).toEqual(
      new Set(['unit/5/register/0 00011170', 'unit/5/register/2 00020003']),
    );
    expect(new Set(asked)).toEqual(new Set(['5:0+4']));
    expect(running.status()).toMatchObject({ kind: 'modbus', state: 'running', error: null });
  });

  test('units take turns; a dead one is left out after its first timeout', async () => {
    silent.add(7);
    const running = await start(poll(5, 0), poll(7, 0), poll(6, 0));
    await eventually('many', () => log.frames.length > 30);
    expect(new Set(log.told())).toEqual(
      new Set(['unit/5/register/0 00011170', 'unit/6/register/0 00011170']),
    );
    expect(asked.filter((one) => one.startsWith('7:'))).toHaveLength(1);
    expect(running.status().units[1]).toMatchObject({ state: 'silent' });
    expect(running.status().state).toBe('running');
  });

  test('registers that do not exist are a fault that names them', async () => {
    await start(poll(5, 100, { every_ms: 5000 }));
    await eventually('a fault', () => log.frames.length === 1);
    expect(log.frames[0]?.fault).toMatchObject({ reason: 'exception_answer' });
    expect(log.frames[0]?.fault?.detail).toContain('registers 100 to 101');
  });

  test('a unit that answers late never gives one register’s value to another', async () => {
    delay_ms = (start) => (start === 0 ? 190 : 2);
    await start(poll(5, 0), poll(5, 10));
    const own = new Set(['unit/5/register/0 00011170', 'unit/5/register/10 00070008']);
    await eventually('the other register', () => log.frames.length >= 10);
    // Its own value may come all the same, where a second question met the first one's answer.
    expect(log.told().filter((one) => !own.has(one))).toEqual([]);
    expect(log.told()).toContain('unit/5/register/10 00070008');
    // One of them reads a register more, so that their answers differ in length.
    expect(new Set(asked)).toEqual(new Set(['5:0+2', '5:10+3']));
  });

  test('a unit that refuses to be read further is read otherwise', async () => {
    delete registers[12];
    await start(poll(5, 0), poll(5, 10));
    const isBoth = () => new Set(log.told()).size === 2 && asked.includes('5:0+3');
    await eventually('both', isBoth, 15_000);
    expect(new Set(log.told())).toEqual(
      new Set(['unit/5/register/0 00011170', 'unit/5/register/10 00070008']),
    );
  });

  test('unplugged and plugged in again, it reads on within 5 s', async () => {
    const running = await start(poll(5, 0));
    await eventually('a frame', () => log.frames.length > 0);
    await line.unplug();
    await eventually('failing', () => running.status().state === 'failing', 5_000);
    const before = log.frames.length;
    await line.plug();
    await eventually('a frame again', () => log.frames.length > before, 5_000);
    expect(running.status().state).toBe('running');
  });

  test('stop ends it in the middle of a request', async () => {
    silent.add(5);
    const running = await start(poll(5, 0, { timeout_ms: 10_000 }));
    await eventually('asked', () => asked.length === 1);
    const from = systemClock.monotonic();
    await running.stop();
    expect(systemClock.monotonic() - from).toBeLessThan(1_000);
  });
}

const workspace = new Workspace();

describe('a serial line', () => {
  lineSuite(async () => {
    const path = join(workspace.folder(), 'port');
    const settings = { baud: 19_200, data_bits: 8, parity: 'none', stop_bits: 1 } as const;
    let terminal: PseudoTerminal | undefined;
    let take = (_bytes: Buffer) => {};
    return {
      bus: modbusRtuBus(path, settings, systemClock),
      plug: async () => {
        terminal = openPseudoTerminal();
        terminal.onData((bytes) => take(bytes));
        symlinkSync(terminal.path, path);
      },
      unplug: async () => {
        rmSync(path, { force: true });
        terminal?.close();
      },
      write: (bytes) => terminal?.write(bytes),
      onData: (hear) => {
        take = hear;
      },
    };
  });
});

describe('a converter that carries the line over TCP', () => {
  lineSuite(async () => {
    let take = (_bytes: Buffer) => {};
    const sockets = new Set<Socket>();
    const open = () =>
      createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => sockets.delete(socket));
        socket.on('data', (bytes) => take(bytes));
      });
    let server = open().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      bus: {
        ...modbusRtuOverTcpBus('127.0.0.1', port, systemClock),
        reopen: { base_ms: 100, cap_ms: 500 },
      },
      plug: async () => {
        if (server.listening) return;
        server = open().listen(port, '127.0.0.1');
        await once(server, 'listening');
      },
      unplug: async () => {
        for (const socket of sockets) socket.destroy();
        if (!server.listening) return;
        const closed = once(server, 'close');
        server.close();
        await closed;
      },
      write: (bytes) => {
        for (const socket of sockets) socket.write(bytes);
      },
      onData: (hear) => {
        take = hear;
      },
    };
  });
});
