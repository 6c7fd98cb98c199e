/**
 * Modbus RTU on a serial line, or carried as it is over TCP by a converter.
 *
 * Not by modbus-serial: it keeps bytes that came before the request and matches answers by unit,
 * function and length alone, so that a late answer became the value of another register. Here
 * everything that came before a request is dropped, and modbus-blocks.ts makes an answer fit one
 * question only.
 */
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ModbusBlock } from './modbus-blocks.ts';
import {
  askedText,
  exceptionText,
  type ModbusBus,
  type ModbusLink,
  type Outcome,
  reconnect,
} from './modbus-link.ts';
import { type RtuAnswer, rtuAnswerIn, rtuRequest } from './modbus-rtu-frame.ts';
import { openSerialPort, reopenPort, type SerialSettings } from './serial-port.ts';
import { connectedSocket } from './tcp-socket.ts';

/** A line that carries bytes, open. */
export interface ByteLine {
  write(bytes: Uint8Array): void;
  /** Throws away what arrived and was not read. */
  flush(): Promise<void>;
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/** Opens a line; `data` is called with whatever arrives on it. */
export type OpenByteLine = (
  stop: AbortSignal,
  data: (chunk: Uint8Array) => void,
) => Promise<ByteLine>;

/** Silence that ends a frame: 3.5 characters of 11 bits, and what an operating system adds. */
const scheduling_ms = 5;
/** USB adapters and networks deliver one frame in pieces with pauses of up to 16 ms and more. */
const pieces_ms = 40;
/** Bytes between two requests that are looked at: two of the longest frames, and noise. */
const seen_bytes_max = 1024;
/** Enough to tell another speed from a line at rest. */
const noise_bytes_kept = 16;
/** No unit answers after this; until then its answers may not mean other registers. */
const late_ms = 10_000;

export function modbusRtuBus(path: string, settings: SerialSettings, clock: Clock): ModbusBus {
  const gap_ms = Math.ceil((3.5 * 11 * 1000) / settings.baud) + scheduling_ms;
  const bus = rtuBus(gap_ms, clock, async (_stop, data) => {
    const losing = new AbortController();
    const lost = (error: Error) => losing.abort(error);
    const port = await openSerialPort(path, settings, clock, { data, lost });
    return { ...port, lost: losing.signal };
  });
  return { ...bus, reopen: reopenPort };
}

export function modbusRtuOverTcpBus(host: string, port: number, clock: Clock): ModbusBus {
  return rtuBus(pieces_ms / 2, clock, async (stop, data) => {
    const { socket, lost } = await connectedSocket(host, port, clock, stop);
    socket.on('data', data);
    return {
      lost,
      write: (bytes) => {
        socket.write(bytes);
      },
      flush: async () => {},
      close: async () => {
        socket.destroy();
      },
    };
  });
}

/** @param gap_ms silence that ends a frame and stands between two. */
export function rtuBus(gap_ms: number, clock: Clock, openLine: OpenByteLine): ModbusBus {
  // Outlives the connection: a converter may keep an answer while we reconnect.
  const meanings = new Map<string, { start: number; asked_at: number }>();
  return {
    by_length: true,
    drops_on_silence: false,
    reopen: reconnect,
    quarantine_ms: gap_ms,
    open: async (stop) => {
      let hear = (_chunk: Uint8Array) => {};
      const line = await openLine(stop, (chunk) => hear(chunk));
      const link = new RtuLink(line, gap_ms, clock, meanings);
      hear = (chunk) => link.hear(chunk);
      return link;
    },
  };
}

interface Question {
  readonly block: ModbusBlock;
  readonly settle: (outcome: Outcome) => void;
  cancelQuiet: () => void;
}

class RtuLink implements ModbusLink {
  readonly lost: AbortSignal;
  readonly #line: ByteLine;
  /** Lost or closed. */
  readonly #ended = new AbortController();
  readonly #gap_ms: number;
  readonly #clock: Clock;
  readonly #meanings: Map<string, { start: number; asked_at: number }>;
  #question: Question | undefined;
  /** What came since the request. */
  #seen = Buffer.alloc(0);
  #heard_at = Number.NEGATIVE_INFINITY;

  constructor(
    line: ByteLine,
    gap_ms: number,
    clock: Clock,
    meanings: Map<string, { start: number; asked_at: number }>,
  ) {
    this.#line = line;
    this.#gap_ms = gap_ms;
    this.#clock = clock;
    this.#meanings = meanings;
    this.lost = line.lost;
    this.lost.addEventListener('abort', () => this.#end());
  }

  async ask(block: ModbusBlock): Promise<Outcome> {
    const wait_ms = this.#untilMeansThis(block);
    if (wait_ms > 0) return { kind: 'early', wait_ms };
    await this.#untilQuiet(block.timeout_ms);
    try {
      await this.#line.flush();
    } catch {
      // A port that went away meanwhile; its loss is told by the line.
    }
    if (this.#ended.signal.aborted) return { kind: 'silence', detail: 'the line was lost' };
    this.#seen = Buffer.alloc(0);
    let cancelTimeout = () => {};
    const outcome = await new Promise<Outcome>((settle) => {
      this.#question = { block, settle, cancelQuiet: () => {} };
      cancelTimeout = this.#clock.after(block.timeout_ms, () => settle(this.#atTimeout(block)));
      this.#line.write(rtuRequest(block));
    });
    cancelTimeout();
    this.#question?.cancelQuiet();
    this.#question = undefined;
    return outcome;
  }

  hear(chunk: Uint8Array): void {
    this.#heard_at = this.#clock.monotonic();
    const question = this.#question;
    if (question === undefined) return;
    this.#seen = Buffer.concat([this.#seen, chunk]).subarray(-seen_bytes_max);
    question.cancelQuiet();
    const answer = rtuAnswerIn(question.block, this.#seen);
    if (answer === null) return;
    // Only silence ends a frame; what stands among other bytes gets more of it.
    const quiet_ms = answer.isAlone ? this.#gap_ms : pieces_ms;
    question.cancelQuiet = this.#clock.after(quiet_ms, () => {
      question.settle(outcomeOf(answer, question.block));
    });
  }

  close(): Promise<void> {
    this.#end();
    return this.#line.close();
  }

  #end(): void {
    this.#ended.abort();
    this.#question?.settle({ kind: 'silence', detail: 'the line was lost' });
  }

  #atTimeout(block: ModbusBlock): Outcome {
    const answer = rtuAnswerIn(block, this.#seen);
    if (answer !== null) return outcomeOf(answer, block);
    const { length } = this.#seen;
    const instead = length === 0 ? '' : `, ${length} bytes that are none`;
    const detail = `no answer within ${block.timeout_ms} ms${instead} (${askedText(block)})`;
    const noise = length === 0 ? null : this.#seen.subarray(0, noise_bytes_kept).toString('hex');
    return { kind: 'silence', detail, noise };
  }

  /** Two talkers at a time destroy both frames, so a late one may end first, if it ever does. */
  async #untilQuiet(at_most_ms: number): Promise<void> {
    const from = this.#clock.monotonic();
    for (;;) {
      const now = this.#clock.monotonic();
      const wait_ms = this.#heard_at + this.#gap_ms - now;
      if (wait_ms <= 0 || now - from >= at_most_ms || this.#ended.signal.aborted) return;
      await this.#clock.sleep(wait_ms, this.#ended.signal);
    }
  }

  /** After pairing anew an answer of this length may still be one about the registers before. */
  #untilMeansThis({ unit, function: code, start, count }: ModbusBlock): number {
    const name = `${unit}/${code}/${count}`;
    const now = this.#clock.monotonic();
    const before = this.#meanings.get(name);
    const passed_ms = now - (before?.asked_at ?? Number.NEGATIVE_INFINITY);
    if (before !== undefined && before.start !== start && passed_ms < late_ms) {
      return late_ms - passed_ms;
    }
    this.#meanings.set(name, { start, asked_at: now });
    return 0;
  }
}

function outcomeOf(answer: RtuAnswer, block: ModbusBlock): Outcome {
  if (answer.kind === 'answer') return { kind: 'answer', bytes: answer.bytes };
  const { exception } = answer;
  const detail = `${exceptionText(exception)} (${askedText(block)})`;
  return { kind: 'exception', exception, detail };
}
