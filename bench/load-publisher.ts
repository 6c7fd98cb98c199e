/**
 * Publishes QoS 1 messages as fast as the receiver acknowledges, or at a given rate, as a process of
 * its own. Speaks the packets directly: an MQTT client library would be the slowest part of the
 * measurement. Says `{kind: 'ready'}`, starts on `{kind: 'go'}`, ends with {@link LoadResult}.
 */
import { connect, type Socket } from 'node:net';
import { generate, parser } from 'mqtt-packet';
import { systemClock } from '../shared/runtime/clock.ts';

export interface LoadPlan {
  readonly port: number;
  /** Each is a connection with a topic of its own, `counters/<n>`. */
  readonly sensors: number;
  readonly messages: number;
  /** Messages a sensor sends ahead of their acknowledgements. */
  readonly window: number;
  /** Messages a second over all sensors; null: as many as go through. */
  readonly rate: number | null;
  /** Each message tells of the second before it; missing: of minutes in a row, as fast as they are sent. */
  readonly live?: boolean;
  /** The first of the messages, whose delays count for nothing: whoever takes them has just started. */
  readonly warm_up?: number;
}

export interface LoadResult {
  readonly kind: 'done';
  readonly seconds: number;
  /** Publish to PUBACK, ms. */
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

const clock = systemClock;
const minute_ms = 60_000;
/** The first of the minutes in a row. */
const first_minute = 1_767_225_600_000;

class LoadSensor {
  readonly #topic: string;
  readonly #number: number;
  readonly #socket: Socket;
  readonly #sent_at: number[] = [];
  readonly #latencies: number[];
  readonly #isLive: boolean;
  #sent = 0;
  #acknowledged = 0;

  constructor(plan: LoadPlan, number: number, latencies: number[], onConnect: () => void) {
    this.#number = number;
    this.#isLive = plan.live ?? false;
    this.#topic = `counters/${number}`;
    this.#latencies = latencies;
    this.#socket = connect(plan.port, '127.0.0.1', () => {
      const clientId = `load-${process.pid}-${number}`;
      const protocol = { protocolId: 'MQTT', protocolVersion: 4 } as const;
      this.#socket.write(
        generate({ cmd: 'connect', ...protocol, clientId, clean: true, keepalive: 0 }),
      );
    });
    this.#socket.setNoDelay(true);
    const packets = parser();
    packets.on('packet', ({ cmd }) => {
      if (cmd === 'connack') onConnect();
      else if (cmd === 'puback') this.#onAck();
    });
    this.#socket.on('data', (bytes) => packets.parse(bytes));
  }

  get inFlight(): number {
    return this.#sent - this.#acknowledged;
  }

  /** Sends so many messages in one write. */
  send(count: number): void {
    const written: Buffer[] = [];
    const now = clock.monotonic();
    for (let i = 0; i < count; i += 1) {
      this.#sent += 1;
      this.#sent_at.push(now);
      const messageId = (this.#sent % 65_535) + 1;
      const payload = message(this.#number, this.#sent, this.#interval());
      const header = { qos: 1, dup: false, retain: false } as const;
      written.push(generate({ cmd: 'publish', topic: this.#topic, payload, messageId, ...header }));
    }
    this.#socket.write(Buffer.concat(written));
  }

  #interval(): { from: number; to: number } {
    const minute = first_minute + this.#sent * minute_ms;
    if (!this.#isLive) return { from: minute, to: minute + minute_ms };
    const second = Math.floor(clock.now() / 1000) * 1000;
    return { from: second - 1000, to: second };
  }

  #onAck(): void {
    const sent_at = this.#sent_at[this.#acknowledged] ?? 0;
    this.#acknowledged += 1;
    this.#latencies.push(clock.monotonic() - sent_at);
  }
}

/** About 200 bytes, as counters send. */
function message(sensor: number, count: number, { from, to }: { from: number; to: number }) {
  return JSON.stringify({
    id: `load-${process.pid}-${sensor}:${String(count).padStart(9, '0')}`,
    from: new Date(from).toISOString(),
    to: new Date(to).toISOString(),
    in: count % 7,
    out: count % 5,
    device: { model: 'LOAD-1', firmware: '1.4.2', line: 1, battery: 97 },
  });
}

async function run(
  plan: LoadPlan,
  sensors: readonly LoadSensor[],
  latencies: number[],
): Promise<void> {
  let left = plan.messages;
  const start = clock.monotonic();
  while (latencies.length < plan.messages) {
    const allowed = plan.rate === null ? left : permitted(plan, start, left);
    let share = Math.ceil(allowed / sensors.length);
    for (const sensor of sensors) {
      share = Math.min(share, left);
      const room = Math.min(share, plan.window - sensor.inFlight);
      if (room <= 0) continue;
      sensor.send(room);
      left -= room;
    }
    await clock.sleep(plan.rate === null ? 0 : 1);
  }
}

/** How many messages the rate allows by now beyond those that were sent. */
function permitted(plan: LoadPlan, start: number, left: number): number {
  const due = ((clock.monotonic() - start) / 1000) * (plan.rate ?? 0);
  return Math.max(0, Math.floor(due) - (plan.messages - left));
}

const plan = JSON.parse(process.argv[2] ?? '') as LoadPlan;
const latencies: number[] = [];
let connected = 0;
const sensors = Array.from({ length: plan.sensors }, (_, number) => {
  return new LoadSensor(plan, number, latencies, () => {
    connected += 1;
    if (connected === plan.sensors) process.send?.({ kind: 'ready' });
  });
});
process.on('disconnect', () => process.exit());
process.once('message', async () => {
  const start = clock.monotonic();
  await run(plan, sensors, latencies);
  const seconds = (clock.monotonic() - start) / 1000;
  const measured = latencies.slice(plan.warm_up ?? 0).sort((a, b) => a - b);
  const at = (part: number) => measured[Math.floor(measured.length * part)] ?? 0;
  const [p50_ms, p99_ms, max_ms] = [at(0.5), at(0.99), measured.at(-1) ?? 0];
  process.send?.({ kind: 'done', seconds, p50_ms, p99_ms, max_ms } satisfies LoadResult);
});
