/**
 * A store's gateway without its processes: pipeline, buffer file and disk images of it, in one thread,
 * so that a seed gives the same order of things again. Each message of a sensor has a weight of its own
 * in its quarter hour, so that a sum says which messages are in it, and how often.
 */
import { cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { type Connection, openBuffer } from '../../gateway/buffer/schema.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { loadCatalogue } from '../../gateway/profiles/catalogue.ts';
import { profileSchema } from '../../gateway/profiles/profile.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { root } from '../rules/sources.ts';

const minute_ms = 60_000;
const quarter_minutes = 15;
/** A line by the minute, and one that speaks of each crossing. */
export const weighed = ['door', 'gate'] as const;

const crossing = profileSchema.parse({
  name: 'json-crossings',
  title: 'People who crossed at a moment',
  transport: 'mqtt',
  codec: { kind: 'json' },
  mapping: {
    measures: [
      { target: 'in', path: 'in', semantics: 'event' },
      { target: 'out', path: 'out', semantics: 'event' },
    ],
    time: { at: 'time', format: 'iso8601' },
    dedupe: ['id'],
  },
});
const builtIn = loadCatalogue([join(root, 'gateway/profiles/built-in')]);
const catalogue = new Map([...builtIn, [crossing.name, crossing] as const]);

export interface ImageLimits {
  /** Beyond what an empty file takes. */
  readonly quota_bytes: number;
  readonly rows_kept: number;
}

/** `sensor minute`: a message of a weighed sensor. */
export type MessageName = `${(typeof weighed)[number]} ${number}`;

interface Message {
  readonly address: string;
  readonly text: string;
  readonly name: MessageName | null;
}

/** In quarter hours, a digit in base 4 for each minute: `in` has the first eight, `out` the rest. */
function weightOf(minute: number): { in: number; out: number } {
  const place = minute % quarter_minutes;
  return place < 8 ? { in: 4 ** place, out: 0 } : { in: 0, out: 4 ** (place - 8) };
}

/** How often each message of a sum is in it. */
export function timesIn(quarter: number, sum: { in: number; out: number }): [number, number][] {
  return Array.from({ length: quarter_minutes }, (_, place) => {
    const [all, digit] = place < 8 ? [sum.in, place] : [sum.out, place - 8];
    return [quarter * quarter_minutes + place, Math.floor(all / 4 ** digit) % 4];
  });
}

export class ImageGateway {
  /** Messages that were acknowledged. */
  readonly acknowledged = new Set<MessageName>();
  /** Broken frames that were acknowledged. */
  noise = 0;
  /** People whom the running total counts. */
  walked = 0;
  readonly #start: number;
  readonly #limits: ImageLimits;
  readonly #folder: string;
  readonly #disk: string;
  readonly #registry: SensorRegistry;
  #minute = 0;
  #images = 0;
  /** Of a new file. */
  #empty_bytes: number | undefined;
  #unacknowledged: Message[] = [];
  #draft = new GroupDraft();
  #connection: Connection | undefined;
  #log: ReadingLog | undefined;
  #pipeline: Pipeline | undefined;

  /** @param start a whole hour, ms since the epoch. */
  constructor(folder: string, start: number, limits: ImageLimits) {
    this.#folder = folder;
    this.#start = start;
    this.#limits = limits;
    this.#disk = join(folder, 'disk');
    mkdirSync(this.#disk);
    this.#registry = new SensorRegistry(join(folder, 'sensors.json'), catalogue);
    const pair = (sensor_id: string, profile: string) =>
      this.#registry.pair({ source: 's', sensor_id, profile, topic: sensor_id }, () => {});
    pair('door', 'json-interval');
    pair('gate', 'json-crossings');
    pair('total', 'json-total');
    this.start();
    this.#hear('total', { in: 1000, out: 0, time: this.#time(0) }, null);
    this.commit();
  }

  get log(): ReadingLog {
    if (this.#log === undefined) throw new Error('the gateway does not run');
    return this.#log;
  }

  /** Messages that are not acknowledged yet. */
  get waiting(): number {
    return this.#unacknowledged.length;
  }

  /** ms since the epoch. */
  get now(): number {
    return this.#start + this.#minute * minute_ms;
  }

  start(): void {
    const path = join(this.#disk, 'buffer.sqlite');
    const { connection } = openBuffer(path, { epoch: systemClock.uuid(), now: this.now });
    // The disk is never robbed of its power here; fsync would be most of the time.
    connection.pragma('synchronous = OFF');
    const empty_bytes = 1024 * (connection.pragma('page_count', { simple: true }) as number);
    this.#empty_bytes ??= empty_bytes;
    const { quota_bytes, rows_kept } = this.#limits;
    const log = new ReadingLog(connection, null, {
      quota_bytes: this.#empty_bytes + quota_bytes,
      rows_kept,
    });
    this.#connection = connection;
    this.#log = log;
    this.#draft = new GroupDraft();
    this.#pipeline = new Pipeline({
      registry: this.#registry,
      buffer: {
        append: (entries) => {
          for (const entry of entries) this.#draft.add(entry);
          return Promise.resolve();
        },
      },
      recovered: log.recover(),
      runScript: () => Promise.reject(new Error('no script is expected')),
      report_interval_ms: minute_ms,
      clock: systemClock,
      log: silentLog,
    });
    // What a sensor was not acknowledged it sends again.
    for (const message of this.#unacknowledged) this.#hand(message);
  }

  kill(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  /** One minute passes, and the sensors say who walked. */
  count(people: number): void {
    const from = this.#time(this.#minute);
    const minute = this.#minute;
    this.#minute += 1;
    const to = this.#time(this.#minute);
    const weight = weightOf(minute);
    this.walked += people;
    this.#hear('door', { id: minute, from, to, ...weight }, `door ${minute}`);
    this.#hear('gate', { id: minute, time: from, ...weight }, `gate ${minute}`);
    this.#hear('total', { in: 1000 + this.walked, out: 0, time: to }, null);
  }

  /** Nobody walks, the clock goes on. */
  rest(minutes: number): void {
    this.#minute += minutes;
  }

  /** Nobody walks; the running total goes on telling, as such devices do. */
  tellTotal(minutes: number): void {
    for (let minute = 0; minute < minutes; minute += 1) {
      this.#minute += 1;
      const message = { in: 1000 + this.walked, out: 0, time: this.#time(this.#minute) };
      this.#hear('total', message, null);
      this.commit();
    }
  }

  /** A frame that nobody can read. */
  makeNoise(): void {
    this.#hear('door', 'noise', null);
  }

  /** @returns whether the sensors were acknowledged; false at the quota. */
  commit(): boolean {
    const group = this.#draft.finish();
    try {
      this.log.commit(group);
    } catch (error) {
      if (error instanceof FootbridgeError && error.code === 'buffer_quota') return false;
      throw error;
    }
    this.#draft = new GroupDraft();
    for (const { name, text } of this.#unacknowledged.splice(0)) {
      if (name !== null) this.acknowledged.add(name);
      else if (text === '"noise"') this.noise += 1;
    }
    return true;
  }

  /** All files at this moment. @returns the image's number. */
  takeImage(): number {
    this.#images += 1;
    cpSync(this.#disk, this.#image(this.#images), { recursive: true });
    return this.#images;
  }

  /** The process is killed, the image put back, and the process started. */
  restore(image: number): void {
    this.kill();
    rmSync(this.#disk, { recursive: true });
    cpSync(this.#image(image), this.#disk, { recursive: true });
    this.start();
  }

  /** Messages that the file holds, delivered or not. */
  kept(): Set<MessageName> {
    const rows = this.#connection
      ?.prepare(
        `SELECT word AS sensor, CAST((observed_at - ?) / 900000 AS INTEGER) AS quarter, sum(in_count) AS "in",
           sum(out_count) AS out
         FROM readings JOIN words ON words.id = sensor WHERE region IS NULL GROUP BY 1, 2`,
      )
      .all(this.#start) as { sensor: string; quarter: number; in: number; out: number }[];
    const kept = new Set<MessageName>();
    for (const { sensor, quarter, ...sum } of rows) {
      const known = weighed.find((one) => one === sensor);
      if (known === undefined) continue;
      for (const [minute, times] of timesIn(quarter, sum)) {
        if (times > 0) kept.add(`${known} ${minute}`);
      }
    }
    return kept;
  }

  #image(number: number): string {
    return join(this.#folder, `image-${number}`);
  }

  #time(minute: number): string {
    return new Date(this.#start + minute * minute_ms).toISOString();
  }

  #hear(address: string, value: unknown, name: MessageName | null): void {
    const message = { address, text: JSON.stringify(value), name };
    this.#unacknowledged.push(message);
    this.#hand(message);
  }

  #hand({ address, text }: Message): void {
    const frame = { source: 's', address, bytes: Buffer.from(text), received_at: this.now };
    void this.#pipeline?.accept(frame);
  }
}
