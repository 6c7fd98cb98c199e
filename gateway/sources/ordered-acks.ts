/**
 * Acknowledgements of one MQTT connection, released in the order of arrival (MQTT 4.6.0-2) however
 * the commits finish. A new connection starts with an empty queue: an acknowledgement left over
 * from the old one could confirm a message that was never stored, because ids are used again.
 */
export class OrderedAcks {
  readonly #queue: { readonly message_id: number; committed: boolean }[] = [];
  readonly #send: (message_id: number) => void;

  constructor(send: (message_id: number) => void) {
    this.#send = send;
  }

  /** @returns the function to call when the message is on disk. */
  expect(message_id: number): () => void {
    const place = { message_id, committed: false };
    this.#queue.push(place);
    return () => {
      place.committed = true;
      this.#release();
    };
  }

  /** Messages that are not acknowledged yet. */
  get waiting(): number {
    return this.#queue.length;
  }

  #release(): void {
    let released = 0;
    for (const place of this.#queue) {
      if (!place.committed) break;
      this.#send(place.message_id);
      released += 1;
    }
    this.#queue.splice(0, released);
  }
}
