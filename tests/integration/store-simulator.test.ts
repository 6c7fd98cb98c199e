import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Truth } from '../../demo/door.ts';
import { modbus_start } from '../../demo/modbus-sensor.ts';
import type { SimulatorAnswer, SimulatorSpec } from '../../demo/simulator-messages.ts';
import { framingSchema } from '../../gateway/sources/framing.ts';
import { ModbusSource } from '../../gateway/sources/modbus.ts';
import { modbusTcpBus } from '../../gateway/sources/modbus-tcp.ts';
import { SerialSource } from '../../gateway/sources/serial.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { collectFrames, eventually } from '../support/frames.ts';
import { MortalBroker } from '../support/mortal-broker.ts';
import { Workspace } from '../support/workspace.ts';

const demo = path.join(import.meta.dirname, '../../demo');
const workspace = new Workspace();

async function startBroker(): Promise<MortalBroker> {
  const broker = new MortalBroker();
  await broker.start();
  workspace.onEnd(() => broker.die());
  return broker;
}

class Simulator {
  readonly #process: ChildProcess;

  constructor(spec: SimulatorSpec) {
    this.#process = fork(path.join(demo, 'store-simulator.js'), [JSON.stringify(spec)]);
    this.#process.once('message', () => this.#process.send({ kind: 'open' }));
    workspace.onEnd(async () => {
      const exit = once(this.#process, 'exit');
      this.#process.send({ kind: 'stop' });
      await exit;
    });
  }

  send(kind: 'hold' | 'truth' | 'duplicate'): void {
    this.#process.send({ kind });
  }

  async answer<K extends SimulatorAnswer['kind']>(
    kind: K,
  ): Promise<Extract<SimulatorAnswer, { kind: K }>> {
    const [message] = (await once(this.#process, 'message')) as [SimulatorAnswer];
    expect(message.kind).toBe(kind);
    return message as Extract<SimulatorAnswer, { kind: K }>;
  }

  async truth(): Promise<readonly Truth[]> {
    this.send('truth');
    return (await this.answer('truth')).sensors;
  }

  async hold(): Promise<void> {
    this.send('hold');
    await this.answer('held');
  }
}

const ports = { name: 'port', clock: systemClock, log: silentLog };

describe('a simulated store', () => {
  test('its MQTT sensors tell the truth, through a broker that dies and one message sent twice', async () => {
    const broker = await startBroker();
    const simulator = new Simulator({
      store: 'test',
      seed: 5,
      rate_per_min: 300,
      doors: [
        { kind: 'mqtt-delta', sensor_id: 'front-door' },
        { kind: 'mqtt-trigger', sensor_id: 'side-door' },
      ],
      mqtt: { url: `mqtt://127.0.0.1:${broker.port}` },
    });
    await simulator.answer('ready');
    await eventually('a crossing', () => broker.heard.length > 3);
    simulator.send('duplicate');
    await systemClock.sleep(500);
    await broker.die();
    await systemClock.sleep(1_000);
    await broker.start();
    await eventually(
      'an interval',
      () => broker.heard.some((one) => one.topic.startsWith('c')),
      8_000,
    );
    await simulator.hold();
    const [front, side] = await simulator.truth();

    const once = new Map(broker.heard.map((one) => [`${one.topic} ${one.message['id']}`, one]));
    expect(once.size).toBeLessThan(broker.heard.length);
    const sent = [...once.values()];
    const sum = (key: 'in' | 'out') =>
      sent.reduce((total, { message }) => total + Number(message[key] ?? 0), 0);
    const count = (direction: string) =>
      sent.filter(({ message }) => message['direction'] === direction).length;
    expect({ in: sum('in'), out: sum('out') }).toEqual({ in: front?.in, out: front?.out });
    expect({ in: count('in'), out: count('out') }).toEqual({ in: side?.in, out: side?.out });
    expect(front?.in).toBeGreaterThan(3);
  });

  test('its Modbus counter wraps, and its differences are the truth', async () => {
    const simulator = new Simulator({
      store: 'test',
      seed: 5,
      rate_per_min: 400,
      doors: [{ kind: 'modbus', sensor_id: 'front-door', unit: 5 }],
    });
    const { modbus_port: port = 0 } = await simulator.answer('ready');
    const log = collectFrames();
    const source = new ModbusSource({
      ...ports,
      bus: modbusTcpBus('127.0.0.1', port, systemClock),
      accept: log.accept,
    });
    const poll = {
      unit: 5,
      function: 4,
      start: 0,
      count: 2,
      every_ms: 50,
      timeout_ms: 500,
    } as const;
    source.setPolls([{ address: 'unit/5', ...poll }]);
    await source.start();
    workspace.onEnd(() => source.stop());
    const words = () => Buffer.from(log.frames.at(-1)?.bytes ?? []);
    await eventually(
      'a wrap',
      () => log.frames.length > 1 && words().readUInt16BE(0) < 100,
      15_000,
    );
    await simulator.hold();
    const [truth] = await simulator.truth();
    const before = log.frames.length;
    await eventually('one more reading', () => log.frames.length > before + 1);

    expect(Buffer.from(log.frames[0]?.bytes ?? []).readUInt16BE(0)).toBe(modbus_start.in);
    expect({
      in: (words().readUInt16BE(0) - modbus_start.in + 65_536) % 65_536,
      out: (words().readUInt16BE(2) - modbus_start.out + 65_536) % 65_536,
    }).toEqual({ in: truth?.in, out: truth?.out });
  });

  test('its serial counter answers its unit, and its counts are the truth', async () => {
    const simulator = new Simulator({
      store: 'test',
      seed: 5,
      rate_per_min: 400,
      doors: [{ kind: 'serial', sensor_id: 'front-door', unit: '0001' }],
    });
    const { serial_path = '' } = await simulator.answer('ready');
    const log = collectFrames();
    const source = new SerialSource({ ...ports, path: serial_path, accept: log.accept });
    const framing = { kind: 'delimited', start: '02', end: '03', encoding: 'ascii-hex' } as const;
    source.setWork({
      settings: { baud: 115_200, data_bits: 8, parity: 'none', stop_bits: 1 },
      framing: framingSchema.parse({ ...framing, checksum: { kind: 'sum8' } }),
      polls: [
        {
          address: 'unit/0001',
          request: Buffer.from('023030303131333030313403', 'hex'),
          answer_prefix: Buffer.from('00019310', 'hex'),
          every_ms: 50,
          timeout_ms: 500,
        },
      ],
      turnaround_ms: 5,
    });
    await source.start();
    workspace.onEnd(() => source.stop());
    await eventually('thirty readings', () => log.frames.length > 30);
    await simulator.hold();
    const [truth] = await simulator.truth();
    const before = log.frames.length;
    await eventually('one more reading', () => log.frames.length > before + 1);

    const last = Buffer.from(log.frames.at(-1)?.bytes ?? []);
    expect({ in: last.readUInt32BE(4), out: last.readUInt32BE(8) }).toEqual({
      in: truth?.in,
      out: truth?.out,
    });
    expect(truth?.in).toBeGreaterThan(3);
  });
});
