/**
 * Acknowledgements of one MQTT connection, released in the order of arrival (MQTT 4.6.0-2) however
 * the commits finish, and together where one commit made them due. A new connection starts with an
 * empty queue: an acknowledgement left over from the old one could confirm a message that was never
 * stored, because ids are used again.
 */

/** Neighbours that wait for the same commit. */
interface Run {
  readonly durable: Promise<void>;
  readonly message_ids: number[];
  isDurable: boolean;
}

export class OrderedAcks {
  readonly #runs: Run[] = [];
  readonly #send: (message_ids: readonly number[]) => void;
  #waiting = 0;

  /** @param send sends acknowledgements; called with at least one. */
  constructor(send: (message_ids: readonly number[]) => void) {
    this.#send = send;
  }

  /** @param durable resolves when the message is on disk; neighbours may share it. */
  expect(message_id: number, durable: Promise<void>): void {
    this.#waiting += 1;
    const last = this.#runs.at(-1);
    if (last?.durable === durable) {
      last.message_ids.push(message_id);
      return;
    }
    const run: Run = { durable, message_ids: [message_id], isDurable: false };
    this.#runs.push(run);
    void durable.then(() => {
      run.isDurable = true;
      this.#release();
    });
  }

  /** Messages that are not acknowledged yet. */
  get waiting(): number {
    return this.#waiting;
  }

  #release(): void {
    for (let run = this.#runs[0]; run?.isDurable === true; run = this.#runs[0]) {
      this.#runs.shift();
      this.#waiting -= run.message_ids.length;
      this.#send(run.message_ids);
    }
  }
}

/** The packets that acknowledge messages (MQTT 3.1.1 and 5, 3.4; in 5 without a reason: success). */
export function pubacks(message_ids: readonly number[]): Buffer {
  const packets = Buffer.allocUnsafe(4 * message_ids.length);
  for (const [i, message_id] of message_ids.entries()) {
    packets.writeUInt16BE(0x4002, 4 * i);
    packets.writeUInt16BE(message_id, 4 * i + 2);
  }
  return packets;
}
