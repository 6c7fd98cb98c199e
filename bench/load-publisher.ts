/**
 * Publishes QoS 1 messages as fast as the receiver acknowledges, or at a given rate, as a process of
 * its own. Speaks the packets directly: an MQTT client library would be the slowest part of the
 * measurement. Says `{kind: 'ready'}`, sends so many on each {@link Go}, and answers it with {@link LoadResult}.
 */
import { connect, type Socket } from 'node:net';
import { generate } from 'mqtt-packet';
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
}

/** Send so many of the plan's messages. */
export interface Go {
  readonly kind: 'go';
  readonly messages: number;
}

export interface LoadResult {
  readonly kind: 'done';
  /** From the first message sent to the last acknowledged. */
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
  readonly #plan: LoadPlan;
  readonly #number: number;
  readonly #socket: Socket;
  /** What it will send, packet after packet; of a live sensor made when it is sent. */
  readonly #packets: Packets | null;
  readonly #sent_at: number[] = [];
  readonly #latencies: number[];
  #isIn = false;
  #half = 0;
  #sent = 0;
  #acknowledged = 0;

  constructor(plan: LoadPlan, number: number, latencies: number[], onConnect: () => void) {
    this.#plan = plan;
    this.#number = number;
    this.#latencies = latencies;
    this.#packets = plan.live === true ? null : packetsOf(number, shareOf(plan, number));
    this.#socket = connect(plan.port, '127.0.0.1', () => {
      const clientId = `load-${process.pid}-${number}`;
      const protocol = { protocolId: 'MQTT', protocolVersion: 4 } as const;
      this.#socket.write(
        generate({ cmd: 'connect', ...protocol, clientId, clean: true, keepalive: 0 }),
      );
    });
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (bytes) => {
      this.#hear(bytes.length, onConnect);
    });
  }

  /** How many more its window and its share of the messages allow. */
  get room(): number {
    const { window } = this.#plan;
    const left = shareOf(this.#plan, this.#number) - this.#sent;
    return Math.min(left, window - (this.#sent - this.#acknowledged));
  }

  /** Sends so many messages in one write. */
  send(count: number): void {
    const now = clock.monotonic();
    const first = this.#sent;
    for (let i = 0; i < count; i += 1) this.#sent_at.push(now);
    this.#sent += count;
    this.#socket.write(this.#packets?.(first, count) ?? this.#live(first, count));
  }

  #live(first: number, count: number): Buffer {
    const second = Math.floor(clock.now() / 1000) * 1000;
    const interval = { from: second - 1000, to: second };
    const numbers = Array.from({ length: count }, (_, i) => first + i + 1);
    return Buffer.concat(numbers.map((n) => packet(this.#number, n, interval)));
  }

  /** A CONNACK and then PUBACKs are all that comes, each of four bytes (MQTT 3.1.1, 3.2 and 3.4). */
  #hear(bytes: number, onConnect: () => void): void {
    this.#half += bytes;
    const now = clock.monotonic();
    for (; this.#half >= 4; this.#half -= 4) {
      if (this.#isIn) this.#onAck(now);
      else {
        this.#isIn = true;
        onConnect();
      }
    }
  }

  #onAck(now: number): void {
    const sent_at = this.#sent_at[this.#acknowledged] ?? 0;
    this.#acknowledged += 1;
    this.#latencies.push(now - sent_at);
  }
}

/** The bytes of `count` packets after the first `first`. */
type Packets = (first: number, count: number) => Buffer;

/**
 * Made before the clock runs: to write 100,000 messages as JSON cost the two cores as much as it
 * cost the gateway to take them, and stood on both sides of every ratio.
 */
function packetsOf(sensor: number, count: number): Packets {
  const packets = Array.from({ length: count }, (_, i) => {
    const from = first_minute + (i + 1) * minute_ms;
    return packet(sensor, i + 1, { from, to: from + minute_ms });
  });
  const ends = [0];
  for (const { length } of packets) ends.push((ends.at(-1) ?? 0) + length);
  const bytes = Buffer.concat(packets);
  return (first, wanted) => bytes.subarray(ends[first], ends[first + wanted]);
}

/** The messages are dealt out evenly; the first sensors have what is left over. */
function shareOf({ messages, sensors }: LoadPlan, number: number): number {
  return Math.floor(messages / sensors) + (number < messages % sensors ? 1 : 0);
}

function packet(sensor: number, count: number, interval: { from: number; to: number }): Buffer {
  const messageId = (count % 65_535) + 1;
  const payload = message(sensor, count, interval);
  const header = { qos: 1, dup: false, retain: false } as const;
  return generate({
    cmd: 'publish',
    topic: `counters/${sensor}`,
    payload,
    messageId,
    ...header,
  });
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

/** Sends so many messages and waits for their acknowledgements. */
async function run(count: number): Promise<void> {
  let left = count;
  const acknowledged = latencies.length + count;
  const start = clock.monotonic();
  while (latencies.length < acknowledged) {
    const allowed = plan.rate === null ? left : permitted(plan.rate, start, count - left);
    let share = Math.ceil(Math.min(allowed, left) / sensors.length);
    for (const sensor of sensors) {
      share = Math.min(share, left);
      const room = Math.min(share, sensor.room);
      if (room <= 0) continue;
      sensor.send(room);
      left -= room;
    }
    await clock.sleep(plan.rate === null ? 0 : 1);
  }
}

/** How many messages the rate allows by now beyond those that were sent. */
function permitted(rate: number, start: number, sent: number): number {
  const due = ((clock.monotonic() - start) / 1000) * rate;
  return Math.max(0, Math.floor(due) - sent);
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
process.on('message', async ({ messages }: Go) => {
  const before = latencies.length;
  const start = clock.monotonic();
  await run(messages);
  const seconds = (clock.monotonic() - start) / 1000;
  const measured = latencies.slice(before).sort((a, b) => a - b);
  const at = (part: number) => measured[Math.floor(measured.length * part)] ?? 0;
  const [p50_ms, p99_ms, max_ms] = [at(0.5), at(0.99), measured.at(-1) ?? 0];
  process.send?.({ kind: 'done', seconds, p50_ms, p99_ms, max_ms } satisfies LoadResult);
});
