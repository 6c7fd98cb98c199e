/**
 * The people and sensors of one store, as a process of its own: forked with a SimulatorSpec, spoken
 * to as simulator-messages.ts says. Doors whose counter is polled open once it is read; those that
 * speak MQTT when they are told to, because a broker forgets what nobody has subscribed to yet.
 */
import { type Clock, systemClock } from '../shared/runtime/clock.ts';
import { type Direction, Door } from './door.ts';
import { modbus_start, startModbusDevice } from './modbus-sensor.ts';
import { MqttDeltaSensor } from './mqtt-delta-sensor.ts';
import { MqttTriggerSensor } from './mqtt-trigger-sensor.ts';
import { PolledCounter } from './polled-counter.ts';
import { openPseudoTerminal } from './pseudo-terminal.ts';
import { Publisher } from './publisher.ts';
import { startHpc168Line } from './serial-sensor.ts';
import type {
  DoorSpec,
  SimulatorAnswer,
  SimulatorRequest,
  SimulatorSpec,
} from './simulator-messages.ts';

interface Sensor {
  cross(direction: Direction, at: number): void;
  isOpen?(at: number): boolean;
  hold?(): Promise<void>;
}

class StoreSimulator {
  readonly #spec: SimulatorSpec;
  readonly #clock: Clock;
  readonly #doors: Door[] = [];
  readonly #sensors: Sensor[] = [];
  readonly #publishers: Publisher[] = [];
  readonly #openings: (() => void)[] = [];
  readonly #modbusCounters = new Map<number, PolledCounter>();
  readonly #serialCounters = new Map<string, PolledCounter>();
  readonly #closings: (() => Promise<void> | void)[] = [];

  constructor(spec: SimulatorSpec, clock: Clock) {
    this.#spec = spec;
    this.#clock = clock;
    for (const [index, door] of spec.doors.entries()) this.#build(door, spec.seed + index);
  }

  async start(): Promise<SimulatorAnswer> {
    const ready: { kind: 'ready'; serial_path?: string; modbus_port?: number } = { kind: 'ready' };
    if (this.#modbusCounters.size > 0) {
      const device = await startModbusDevice(this.#modbusCounters);
      this.#closings.push(() => device.close());
      ready.modbus_port = device.port;
    }
    if (this.#serialCounters.size > 0) {
      const line = openPseudoTerminal();
      this.#closings.push(() => line.close());
      startHpc168Line(line, this.#serialCounters);
      ready.serial_path = line.path;
    }
    return ready;
  }

  async answer(request: SimulatorRequest): Promise<SimulatorAnswer | null> {
    switch (request.kind) {
      case 'open':
        for (const open of this.#openings) open();
        return null;
      case 'truth':
        return { kind: 'truth', sensors: this.#doors.map((door) => door.truth()) };
      case 'hold':
        for (const door of this.#doors) door.hold();
        await Promise.all(this.#sensors.map((sensor) => sensor.hold?.()));
        return { kind: 'held' };
      case 'duplicate':
        for (const publisher of this.#publishers) publisher.duplicateNext();
        return null;
      case 'stop':
        await this.stop();
        return null;
    }
  }

  async stop(): Promise<void> {
    for (const door of this.#doors) door.hold();
    for (const publisher of this.#publishers) await publisher.close();
    for (const close of this.#closings) await close();
  }

  #build(spec: DoorSpec, seed: number): void {
    const sensor = this.#sensor(spec);
    const door = new Door({
      sensor_id: spec.sensor_id,
      seed,
      rate_per_min: this.#spec.rate_per_min,
      clock: this.#clock,
      isOpen: (at) => sensor.isOpen?.(at) ?? true,
      onCross: (direction, at) => sensor.cross(direction, at),
    });
    this.#doors.push(door);
    this.#sensors.push(sensor);
    if (sensor.isOpen === undefined) this.#openings.push(() => door.open());
    else door.open();
  }

  #sensor(spec: DoorSpec): Sensor {
    const { sensor_id } = spec;
    const clock = this.#clock;
    switch (spec.kind) {
      case 'mqtt-delta': {
        const sensor = new MqttDeltaSensor({ sensor_id, publisher: this.#publisher(spec), clock });
        this.#openings.push(() => sensor.start());
        return sensor;
      }
      case 'mqtt-trigger':
        return new MqttTriggerSensor({ sensor_id, publisher: this.#publisher(spec), clock });
      case 'modbus': {
        const counter = new PolledCounter({ start: modbus_start, bits: 16, clock });
        this.#modbusCounters.set(spec.unit, counter);
        return counter;
      }
      case 'serial': {
        const start = { in: 0, out: 0 };
        const counter = new PolledCounter({ start, bits: 32, clock });
        this.#serialCounters.set(spec.unit, counter);
        return counter;
      }
    }
  }

  #publisher({ sensor_id }: DoorSpec): Publisher {
    const { mqtt, store } = this.#spec;
    if (mqtt === undefined) throw new Error(`the MQTT door ${sensor_id} has no broker`);
    const publisher = new Publisher(mqtt.url, `${store}-${sensor_id.replaceAll('/', '-')}`);
    this.#publishers.push(publisher);
    return publisher;
  }
}

const simulator = new StoreSimulator(JSON.parse(process.argv[2] ?? ''), systemClock);
process.on('message', async (request: SimulatorRequest) => {
  const answer = await simulator.answer(request);
  if (answer !== null) process.send?.(answer);
  if (request.kind === 'stop') process.disconnect();
});
// Ctrl-C reaches every process of the terminal; the demo stops its simulators itself, in order.
process.on('SIGINT', () => {});
process.on('disconnect', () => process.exit());
process.send?.(await simulator.start());
