/**
 * A Modbus TCP bus: asks one unit after the other and hands on the registers of each answer.
 *
 * One request is under way at a time, and after a request without an answer the connection is
 * dropped. modbus-serial, left alone, took the late answer to one request for the answer to the
 * next (asked for register B it gave A's 111, the truth was 222), and without a timeout of its own
 * it waits for a silent unit for ever.
 */
import { connect, type Socket } from 'node:net';
import modbusSerial from 'modbus-serial';
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type Poll, PollSchedule } from './poll-schedule.ts';
import type { Accept, FrameFault, Source, SourceStatus } from './source.ts';
import { SourceOutlet } from './source-outlet.ts';

type Client = InstanceType<typeof modbusSerial.default>;

/**
 * One request to one unit. Values of two registers lie in one request, so that the words of one
 * value are never read at two times; the frame's bytes are the registers, high byte first.
 */
export interface ModbusPoll extends Poll {
  readonly unit: number;
  /** 3 reads holding registers, 4 input registers. */
  readonly function: 3 | 4;
  /** Address of the first register as it stands in the request: 40001 of a manual is 0. */
  readonly start: number;
  /** Registers, at most 125. */
  readonly count: number;
}

export interface ModbusOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

const connect_timeout_ms = 5_000;
const reconnect = { base_ms: 500, cap_ms: 15_000 };
/** Behind a TCP-to-serial converter a late answer may still be on the line; it passes meanwhile. */
const quarantine_ms = 500;
/** Longest sleep between polls; the loop is woken when there is something to do. */
const idle_ms = 60_000;

/** Exceptions that mean busy (5, 6) or, from a converter, nobody there (10, 11): no wrong profile. */
const absentExceptions = new Set([5, 6, 10, 11]);

type Outcome =
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'exception'; readonly exception: number; readonly detail: string }
  | { readonly kind: 'silence'; readonly detail: string };

export class ModbusSource implements Source {
  readonly name: string;
  readonly #options: ModbusOptions;
  readonly #outlet: SourceOutlet;
  readonly #schedule = new PollSchedule<ModbusPoll>();
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #socket: Socket | undefined;
  /** Ends whatever the loop waits for. */
  #interrupt = () => this.#wake.abort();
  #loop: Promise<void> = Promise.resolve();

  constructor(options: ModbusOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('modbus', options);
  }

  /** Sets what is read from now on; may be called at any time. */
  setPolls(polls: readonly ModbusPoll[]): void {
    this.#schedule.replace(polls, this.#options.clock.monotonic());
    this.#wake.abort();
  }

  async start(): Promise<void> {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    this.#socket?.destroy();
    await this.#loop;
    this.#outlet.stopped();
  }

  status(): SourceStatus {
    return this.#outlet.status(this.#schedule.units());
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#options;
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      const { frames } = this.#outlet;
      try {
        await this.#useOneConnection();
        await clock.sleep(quarantine_ms, this.#stop.signal);
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        // A device that accepts and hangs up at once must not be called without a pause.
        attempt = this.#outlet.frames > frames ? 0 : attempt + 1;
        const wait_ms = backoff_ms(attempt, reconnect, clock.random);
        const detail = errorText(error);
        if (this.#outlet.failing(detail))
          log.warn({ source: this.name, detail, wait_ms }, 'modbus bus is away');
        await clock.sleep(wait_ms, this.#stop.signal);
        this.#schedule.retryAll(clock.monotonic());
      }
    }
  }

  /** Returns when the connection has to be dropped, throws when it could not be had or was lost. */
  async #useOneConnection(): Promise<void> {
    const { host, port } = this.#options;
    const socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#socket = socket;
    let error = new Error(`${host}:${port} closed the connection`);
    socket.on('error', (cause) => {
      error = cause;
    });
    socket.on('close', () => this.#interrupt());
    try {
      await this.#connected(socket);
      if (socket.readyState !== 'open') throw error;
      const client: Client = new modbusSerial.default();
      await client.linkTCP(socket, { port });
      this.#outlet.running();
      await this.#pollUntilSilence(client, socket);
      if (socket.destroyed) throw error;
    } finally {
      socket.destroy();
    }
  }

  /** Resolves when the socket is connected or closed. */
  #connected(socket: Socket): Promise<void> {
    const { host, port, clock } = this.#options;
    return new Promise((resolve) => {
      const cancelDeadline = clock.after(connect_timeout_ms, () => {
        socket.destroy(new Error(`${host}:${port} did not answer in ${connect_timeout_ms} ms`));
      });
      const settle = () => {
        cancelDeadline();
        resolve();
      };
      socket.once('connect', settle);
      socket.once('close', settle);
    });
  }

  async #pollUntilSilence(client: Client, socket: Socket): Promise<void> {
    const { clock, log } = this.#options;
    while (!socket.destroyed) {
      const next = this.#schedule.next(clock.monotonic());
      if ('wait_ms' in next) {
        this.#wake = new AbortController();
        await clock.sleep(Math.min(next.wait_ms, idle_ms), this.#wake.signal);
        continue;
      }
      const { poll } = next;
      const outcome = await this.#ask(client, poll);
      if (socket.destroyed) return;
      this.#settle(poll, outcome);
      if (outcome.kind === 'silence') {
        const { address } = poll;
        log.warn({ source: this.name, address, detail: outcome.detail }, 'unit is silent');
        return;
      }
    }
  }

  /** A connection that is lost ends the wait at once; modbus-serial would sit out the timeout. */
  #ask(client: Client, poll: ModbusPoll): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#interrupt = () => {
        resolve({ kind: 'silence', detail: 'the connection was lost' });
        this.#wake.abort();
      };
      ask(client, poll).then(resolve);
    });
  }

  #settle(poll: ModbusPoll, outcome: Outcome): void {
    // Paired anew while it was asked: the answer belongs to registers nobody asks for any more.
    if (!isSameQuestion(poll, this.#schedule.pollAt(poll.address))) return;
    const now = this.#options.clock.monotonic();
    if (outcome.kind === 'answer') {
      this.#schedule.answered(poll.address, now);
      this.#hand(poll.address, outcome.bytes);
    } else if (outcome.kind === 'silence' || absentExceptions.has(outcome.exception)) {
      this.#schedule.missed(poll.address, 'silent', outcome.detail, now);
    } else {
      this.#schedule.missed(poll.address, 'faulty', outcome.detail, now);
      const pdu = Uint8Array.of(poll.function | 0x80, outcome.exception);
      this.#hand(poll.address, pdu, { reason: 'exception_answer', detail: outcome.detail });
    }
  }

  #hand(address: string, bytes: Uint8Array, fault?: FrameFault): void {
    this.#schedule.hold(address);
    this.#outlet.hand({ address, bytes, fault }).then(() => {
      this.#schedule.release(address);
      this.#wake.abort();
    });
  }
}

/** Never rejects: what goes wrong with one unit is an outcome. */
async function ask(client: Client, poll: ModbusPoll): Promise<Outcome> {
  client.setID(poll.unit);
  client.setTimeout(poll.timeout_ms);
  try {
    const { buffer } =
      poll.function === 3
        ? await client.readHoldingRegisters(poll.start, poll.count)
        : await client.readInputRegisters(poll.start, poll.count);
    return { kind: 'answer', bytes: new Uint8Array(buffer) };
  } catch (error) {
    // modbus-serial throws objects that are no Errors, with these three fields.
    const { modbusCode, errno, message } = error as Record<string, unknown>;
    const last = poll.start + poll.count - 1;
    const asked = `function ${poll.function}, registers ${poll.start} to ${last}`;
    if (typeof modbusCode === 'number') {
      return { kind: 'exception', exception: modbusCode, detail: `${message} (${asked})` };
    }
    const why = errno === 'ETIMEDOUT' ? `no answer within ${poll.timeout_ms} ms` : message;
    return { kind: 'silence', detail: `${why} (${asked})` };
  }
}

function isSameQuestion(asked: ModbusPoll, now: ModbusPoll | undefined): boolean {
  return (
    now !== undefined &&
    (['unit', 'function', 'start', 'count'] as const).every((field) => asked[field] === now[field])
  );
}
