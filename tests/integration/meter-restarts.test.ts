/**
 * The law of the meters with restarts through a real buffer: people walk, frames reach the gateway,
 * some are committed, the process is killed and opens its file again, the broker sends again what was
 * not acknowledged and some of what was. In the end the log holds last minus first, and each interval
 * once.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { type Connection, openBuffer } from '../../gateway/buffer/schema.ts';
import { SensorRegistry } from '../../gateway/pairing/sensor-registry.ts';
import { Pipeline } from '../../gateway/pipeline.ts';
import { profileSchema } from '../../gateway/profiles/profile.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { silentLog } from '../../shared/runtime/log.ts';
import { builtIn } from '../support/counting-store.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const start = Date.parse('2026-03-01T10:00:00Z');
const width = 16;

const counter = profileSchema.parse({
  name: 'counter-16',
  title: 'A total of 16 bits',
  transport: 'mqtt',
  codec: { kind: 'json' },
  mapping: { measures: [{ target: 'in', path: 'in', semantics: 'cumulative', width }] },
});
const catalogue = new Map([...builtIn, [counter.name, counter] as const]);

interface Message {
  readonly address: string;
  readonly text: string;
}

/** A gateway whose process can be killed: its file and what the broker holds for it stay. */
class Gateway {
  readonly #path: string;
  readonly #registry: SensorRegistry;
  #connection: Connection | undefined;
  #log: ReadingLog | undefined;
  #pipeline: Pipeline | undefined;
  #draft = new GroupDraft();
  #now = start;
  #unacknowledged: Message[] = [];
  readonly #acknowledged: Message[] = [];

  constructor(folder: string) {
    this.#path = join(folder, 'buffer.sqlite');
    this.#registry = new SensorRegistry(join(folder, 'sensors.json'), catalogue);
    const pair = (sensor: object) => this.#registry.pair({ source: 's', ...sensor }, () => {});
    pair({ sensor_id: 'total', profile: 'counter-16', topic: 'total' });
    pair({ sensor_id: 'interval', profile: 'json-interval', topic: 'interval' });
    this.#open();
  }

  #open(): void {
    const { connection } = openBuffer(this.#path, { epoch: systemClock.uuid(), now: this.#now });
    const log = new ReadingLog(connection, null);
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
      report_interval_ms: 60_000,
      clock: systemClock,
      log: silentLog,
    });
  }

  hear(message: Message, later_ms: number): void {
    this.#now += later_ms;
    this.#unacknowledged.push(message);
    this.#hand(message);
  }

  #hand({ address, text }: Message): void {
    const frame = { source: 's', address, bytes: Buffer.from(text), received_at: this.#now };
    void this.#pipeline?.accept(frame);
  }

  commit(): void {
    this.#log?.commit(this.#draft.finish());
    this.#draft = new GroupDraft();
    this.#acknowledged.push(...this.#unacknowledged.splice(0));
  }

  /** What was not committed is gone; the broker sends it again, behind messages whose ack was lost. */
  kill(acks_lost: number): void {
    this.#log?.close();
    this.#open();
    const again = [...this.#acknowledged.slice(this.#acknowledged.length - acks_lost)];
    for (const message of [...again, ...this.#unacknowledged]) {
      this.#now += 1;
      this.#hand(message);
    }
  }

  /** People in the file by sensor, and whether any reading holds less than nobody. */
  counted() {
    const rows = this.#connection
      ?.prepare(
        `SELECT sensor, sum(people) AS people, min(people) AS least FROM (
           SELECT word AS sensor, in_count AS people FROM readings JOIN words ON words.id = sensor
           UNION ALL SELECT each.value ->> 'sensor_id', each.value ->> 'in'
           FROM held, json_each(held.readings) AS each)
         GROUP BY sensor`,
      )
      .all() as { sensor: string; people: number; least: number }[];
    return Object.fromEntries(rows.map(({ sensor, people, least }) => [sensor, { people, least }]));
  }

  close(): void {
    this.#log?.close();
  }
}

const happening = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('people' as const), n: fc.nat(90) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('commit' as const), n: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('kill' as const), n: fc.nat(3) }) },
);

test('people stand in the file once, however often the process is killed between commits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2 ** width - 200, max: 2 ** width + 200 }),
      fc.array(happening, { maxLength: 40 }),
      (first, happenings) => {
        const gateway = new Gateway(workspace.folder());
        let total = first;
        let minute = 0;
        let people = 0;
        const pass = (n: number) => {
          total += n;
          // Exactly 0 may be a lost total; who passes it with others is seen at 1.
          if (total % 2 ** width === 0) total += 1;
          const [from, to] = [minute, minute + 1].map((each) => {
            return new Date(start + each * 60_000).toISOString();
          });
          minute += 1;
          people += n;
          const interval = { id: `i-${minute}`, from, to, in: n, out: 0 };
          gateway.hear({ address: 'interval', text: JSON.stringify(interval) }, 0);
          const sample = { in: total % 2 ** width };
          gateway.hear({ address: 'total', text: JSON.stringify(sample) }, 60_000);
        };
        pass(0);
        const baseline = total;
        gateway.commit();
        for (const { kind, n } of happenings) {
          if (kind === 'people') pass(n);
          else if (kind === 'commit') gateway.commit();
          else gateway.kill(n);
        }
        pass(2);
        pass(0);
        gateway.commit();
        const counted = gateway.counted();
        gateway.close();
        expect(counted['interval']).toEqual({ people, least: 0 });
        expect(counted['total']?.people).toBe(total - baseline);
        expect(counted['total']?.least).toBeGreaterThanOrEqual(0);
      },
    ),
    { numRuns: 60 },
  );
}, 60_000);
