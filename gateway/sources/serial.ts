/**
 * A serial line: asks its units one after the other, or listens to a device that speaks unasked.
 *
 * The port is opened by a path that stays the same (/dev/serial/by-id/…), never by /dev/ttyUSB0,
 * which names another device after the next plug.
 */
import { backoff_ms, type Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type Framed, Framer } from './framer.ts';
import type { Framing } from './framing.ts';
import { hear, noiseOf } from './line-noise.ts';
import { type Poll, PollSchedule } from './poll-schedule.ts';
import {
  type OpenSerialPort,
  openSerialPort,
  reopenPort,
  type SerialSettings,
} from './serial-port.ts';
import {
  type Accept,
  type FrameFault,
  line_address,
  type Source,
  type SourceStatus,
} from './source.ts';
import { SourceOutlet } from './source-outlet.ts';

/** One request to one unit; the next frame within `timeout_ms` is its answer. */
export interface SerialPoll extends Poll {
  /** Bytes as they go on the line. */
  readonly request: Uint8Array;
  /**
   * What the decoded answer begins with, where the protocol names the unit in it. Frames that begin
   * otherwise are not taken for the answer: they are echoes of the request, or late.
   */
  readonly answer_prefix?: Uint8Array;
}

export interface SerialWork {
  readonly settings: SerialSettings;
  readonly framing: Framing;
  /** Empty: listen; frames then have the address {@link line_address}. */
  readonly polls: readonly SerialPoll[];
  /** Pause between an answer and the next request: RS-485 units need it to let go of the line. */
  readonly turnaround_ms: number;
}

export interface SerialOptions {
  readonly name: string;
  readonly path: string;
  readonly accept: Accept;
  readonly clock: Clock;
  readonly log: Log;
}

/** A device sends a frame's bytes without a pause, whatever its speed. */
const quiet_ms = 1_000;
/** Frames of a free-running device that may wait for the disk before reading pauses. */
const pending_frames_max = 64;
/** Longest sleep between polls; the loop is woken when there is something to do. */
const idle_ms = 60_000;

type Answer = Uint8Array | 'silence' | 'lost';

interface Question {
  readonly poll: SerialPoll;
  readonly settle: (answer: Answer) => void;
  /** A damaged answer was seen. */
  fault: string | null;
  /** Hex of the first bytes that came. */
  heard: string;
}

export class SerialSource implements Source {
  readonly name: string;
  readonly #options: SerialOptions;
  readonly #outlet: SourceOutlet;
  readonly #schedule = new PollSchedule<SerialPoll>();
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #work: SerialWork | undefined;
  #framer: Framer | undefined;
  #question: Question | undefined;
  #pending_frames = 0;

  constructor(options: SerialOptions) {
    this.name = options.name;
    this.#options = options;
    this.#outlet = new SourceOutlet('serial', options);
  }

  /**
   * Sets what is done on the line from now on; null: nothing, the port is closed. It is reopened
   * only for other settings.
   */
  setWork(work: SerialWork | null): void {
    if (work !== null && !isSame(work.framing, this.#work?.framing)) {
      this.#framer = new Framer(work.framing);
    }
    this.#work = work ?? undefined;
    this.#schedule.replace(work?.polls ?? [], this.#options.clock.monotonic());
    this.#wake.abort();
  }

  async start(): Promise<void> {
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#wake.abort();
    this.#question?.settle('lost');
    await this.#loop;
    this.#outlet.stopped();
  }

  status(): SourceStatus {
    return this.#outlet.status(this.#schedule.units());
  }

  async #run(): Promise<void> {
    const { clock, log, path } = this.#options;
    let attempt = 0;
    while (!this.#stop.signal.aborted) {
      const { frames } = this.#outlet;
      try {
        if (this.#work === undefined) await this.#sleep(idle_ms);
        else await this.#useOpenPort(this.#work.settings);
      } catch (error) {
        attempt = this.#outlet.frames > frames ? 0 : attempt + 1;
        const wait_ms = backoff_ms(attempt, reopenPort, clock.random);
        const detail = errorText(error);
        if (this.#outlet.failing(detail))
          log.warn({ source: this.name, path, detail, wait_ms }, 'serial port is away');
        await clock.sleep(wait_ms, this.#stop.signal);
        this.#schedule.retryAll(clock.monotonic());
      }
    }
  }

  /** Returns when stopped or when other settings are wanted, throws when the port is lost. */
  async #useOpenPort(settings: SerialSettings): Promise<void> {
    const { path, clock } = this.#options;
    let loss: Error | undefined;
    let cancelQuiet = () => {};
    const port = await openSerialPort(path, settings, clock, {
      data: (chunk) => {
        cancelQuiet();
        cancelQuiet = clock.after(quiet_ms, () => this.#take(port, this.#framer?.quiet()));
        if (this.#question !== undefined) hear(this.#question, chunk);
        this.#take(port, this.#framer?.push(chunk));
      },
      lost: (error) => {
        loss ??= error;
        this.#question?.settle('lost');
        this.#wake.abort();
      },
    });
    this.#framer?.reset();
    this.#outlet.running();
    try {
      while (loss === undefined && !this.#stop.signal.aborted) {
        if (!isSame(settings, this.#work?.settings)) return;
        await this.#doNext(port);
      }
      if (loss !== undefined) throw loss;
    } finally {
      cancelQuiet();
      await port.close();
    }
  }

  async #doNext(port: OpenSerialPort): Promise<void> {
    const next = this.#schedule.next(this.#options.clock.monotonic());
    if ('wait_ms' in next) return this.#sleep(Math.min(next.wait_ms, idle_ms));
    return this.#ask(port, next.poll);
  }

  async #ask(port: OpenSerialPort, poll: SerialPoll): Promise<void> {
    const { clock } = this.#options;
    const asked_at = clock.monotonic();
    await port.flush();
    if (this.#stop.signal.aborted) return;
    this.#framer?.reset();
    let cancelTimeout = () => {};
    const answer = await new Promise<Answer>((settle) => {
      this.#question = { poll, settle, fault: null, heard: '' };
      cancelTimeout = clock.after(poll.timeout_ms, () => {
        this.#take(port, this.#framer?.quiet());
        settle('silence');
      });
      port.write(poll.request);
    });
    cancelTimeout();
    const { fault = null, heard = '' } = this.#question ?? {};
    this.#question = undefined;
    if (answer === 'lost') return;
    // An answer that names its unit is known when it comes late; any other gets this long to pass.
    const canBeMistaken = answer === 'silence' && poll.answer_prefix === undefined;
    const pause_ms = canBeMistaken ? poll.timeout_ms : 0;
    const missed = {
      fault,
      noise: noiseOf(heard, poll.request),
      cost_ms: clock.monotonic() - asked_at + pause_ms,
    };
    this.#settle(poll, answer, missed);
    await clock.sleep(Math.max(pause_ms, this.#work?.turnaround_ms ?? 0), this.#stop.signal);
  }

  #settle(
    poll: SerialPoll,
    answer: Uint8Array | 'silence',
    { fault, noise, cost_ms }: { fault: string | null; noise: string | null; cost_ms: number },
  ): void {
    const wanted = this.#schedule.pollAt(poll.address);
    // Paired anew while it was asked: the answer is to a question nobody asks any more.
    if (wanted === undefined || !isSame([...wanted.request], [...poll.request])) return;
    const now = this.#options.clock.monotonic();
    if (answer !== 'silence') {
      this.#schedule.answered(poll.address, now);
      this.#hand(poll.address, answer);
    } else if (fault !== null) {
      this.#schedule.missed(poll.address, 'faulty', fault, now, cost_ms, noise);
    } else {
      const detail = `no answer within ${poll.timeout_ms} ms`;
      this.#schedule.missed(poll.address, 'silent', detail, now, cost_ms, noise);
    }
  }

  /** Frames and faults as the framer finds them. */
  #take(port: OpenSerialPort, found: readonly Framed[] = []): void {
    for (const one of found) {
      if (this.#work?.polls.length === 0) this.#listen(one, port);
      else this.#hear(one);
    }
  }

  #listen(one: Framed, port: OpenSerialPort): void {
    this.#pending_frames += 1;
    if (this.#pending_frames >= pending_frames_max) port.pause();
    this.#outlet.hand({ address: line_address, bytes: one.bytes, fault: faultOf(one) }).then(() => {
      this.#pending_frames -= 1;
      if (this.#pending_frames < pending_frames_max / 2) port.resume();
    });
  }

  #hear(one: Framed): void {
    const question = this.#question;
    if (question === undefined) {
      this.#options.log.debug({ source: this.name }, 'frame that nobody asked for');
    } else if (one.kind === 'fault') {
      question.fault = `${one.reason}: ${one.detail}`;
      this.#hand(question.poll.address, one.bytes, faultOf(one));
    } else if (question.poll.answer_prefix?.every((byte, i) => one.bytes[i] === byte) !== false) {
      question.settle(one.bytes);
    } else if (!this.#isEcho(one.bytes, question.poll)) {
      // Kept to be seen, never counted: whose it is, the unit that was asked cannot say.
      const detail = 'does not begin like an answer of the unit that was asked';
      const { address } = question.poll;
      void this.#outlet.hand({
        address,
        bytes: one.bytes,
        fault: { reason: 'unknown_unit', detail },
      });
    }
  }

  /** Two-wire converters hear what they send. */
  #isEcho(bytes: Uint8Array, { request }: SerialPoll): boolean {
    const framing = this.#work?.framing;
    const [sent] = framing === undefined ? [] : new Framer(framing).push(request);
    return sent !== undefined && Buffer.compare(sent.bytes, bytes) === 0;
  }

  #hand(address: string, bytes: Uint8Array, fault?: FrameFault): void {
    this.#schedule.hold(address);
    this.#outlet.hand({ address, bytes, fault }).then(() => {
      this.#schedule.release(address);
      this.#wake.abort();
    });
  }

  /** Sleeps until there may be something to do. */
  #sleep(ms: number): Promise<void> {
    this.#wake = new AbortController();
    if (this.#stop.signal.aborted) this.#wake.abort();
    return this.#options.clock.sleep(ms, this.#wake.signal);
  }
}

function faultOf(one: Framed): FrameFault | undefined {
  return one.kind === 'fault' ? { reason: one.reason, detail: one.detail } : undefined;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
