/**
 * Acknowledgements of one MQTT connection, released in the order of arrival (MQTT 4.6.0-2) however
 * the commits finish, and together where one commit made them due. A new connection starts with an
 * empty queue: an acknowledgement left over from the old one could confirm a message that was never
 * stored, because ids are used again.
 */

/** Neighbours that wait for the same commit. */
interface Run {
  readonly durable: Promise<void>;
  readonly acks: number[];
  isDurable: boolean;
}

export class OrderedAcks {
  readonly #runs: Run[] = [];
  readonly #send: (acks: readonly number[]) => void;
  #waiting = 0;

  /** @param send sends acknowledgements, in the bytes that {@link puback} made; at least one. */
  constructor(send: (acks: readonly number[]) => void) {
    this.#send = send;
  }

  /** @param durable resolves when the message is on disk; neighbours may share it. */
  expect(ack: number, durable: Promise<void>): void {
    this.#waiting += 1;
    const last = this.#runs.at(-1);
    if (last?.durable === durable) {
      last.acks.push(ack);
      return;
    }
    const run: Run = { durable, acks: [ack], isDurable: false };
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
      this.#waiting -= run.acks.length;
      this.#send(run.acks);
    }
  }
}

/** The four bytes of a PUBACK (MQTT 3.1.1 and 5, 3.4; in 5 without a reason it means success). */
export function puback(message_id: number): number {
  return 0x4002_0000 | message_id;
}

/** The four bytes of a PUBREC, which acknowledges a message at QoS 2 (3.5). */
export function pubrec(message_id: number): number {
  return 0x5002_0000 | message_id;
}

export function ackPackets(acks: readonly number[]): Buffer {
  const packets = Buffer.allocUnsafe(4 * acks.length);
  for (const [i, ack] of acks.entries()) packets.writeUInt32BE(ack, 4 * i);
  return packets;
}
