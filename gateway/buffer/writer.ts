/** The writer thread as the rest of the process calls it: each call resolves with its answer. */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import { type ErrorCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { Operation, WriterAnswer, WriterData, WriterOperations } from './writer-protocol.ts';

export class Writer {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #onSetAside: (file: string) => void;
  readonly #calls = new Map<number, { resolve(result: never): void; reject(error: Error): void }>();
  #calls_made = 0;
  /** Counted by the writer, see {@link Writer.takeAnswers}. */
  readonly #given = new Int32Array(new SharedArrayBuffer(4));
  #taken = 0;

  /** @param onSetAside told where a file lies that was found to be damaged while it was in use. */
  constructor(data: Omit<WriterData, 'port' | 'given'>, onSetAside: (file: string) => void) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#onSetAside = onSetAside;
    const workerData: WriterData = { ...data, port: port2, given: this.#given };
    const program = new URL('./writer-thread.js', import.meta.url);
    this.#worker = new Worker(program, { workerData, transferList: [port2] });
    this.#port.on('message', (answer: WriterAnswer) => this.#settle(answer));
    // A writer that died took its connection along; only a restart finds out what it had written.
    this.#worker.on('error', (error) => {
      throw error;
    });
  }

  /** @throws FootbridgeError as the operation says */
  call<O extends Operation>(
    operation: O,
    ...parameters: Parameters<WriterOperations[O]>
  ): Promise<ReturnType<WriterOperations[O]>> {
    this.#calls_made += 1;
    const id = this.#calls_made;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject });
      this.#port.postMessage({ id, operation, parameters });
    });
  }

  /**
   * Settles calls that are answered. The event loop would do so when it has read what all sockets hold:
   * a commit that was done waited for hundreds of messages to be decoded, and its devices with it.
   */
  takeAnswers(): void {
    while (Atomics.load(this.#given, 0) !== this.#taken) {
      const received = receiveMessageOnPort(this.#port);
      if (received === undefined) return;
      this.#settle(received.message as WriterAnswer);
    }
  }

  async terminate(): Promise<void> {
    await this.#worker.terminate();
  }

  #settle(answer: WriterAnswer): void {
    this.#taken = (this.#taken + 1) | 0;
    const call = this.#calls.get(answer.id);
    this.#calls.delete(answer.id);
    if (answer.ok) {
      if (answer.set_aside !== undefined) this.#onSetAside(answer.set_aside);
      call?.resolve(answer.result as never);
    } else call?.reject(new FootbridgeError(answer.code as ErrorCode, answer.text));
  }
}
