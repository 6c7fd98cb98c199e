/**
 * A sensor's MQTT client: publishes with QoS 1, one message at a time and in order, and keeps what
 * is not acknowledged. It outlives its broker: the gateway is the broker, and gets killed.
 */
import mqtt, { type MqttClient } from 'mqtt';

/** Where a sensor's messages go. */
export interface Outbox {
  publish(topic: string, message: object): void;
  /** Resolves when the broker has acknowledged everything. */
  acknowledged(): Promise<void>;
}

export class Publisher implements Outbox {
  readonly #client: MqttClient;
  readonly #waiting: { topic: string; text: string }[] = [];
  #drain: Promise<void> | undefined;
  #isDuplicate = false;
  #isClosed = false;

  constructor(url: string, client_id: string) {
    this.#client = mqtt.connect(url, {
      clientId: client_id,
      clean: false,
      reconnectPeriod: 500,
      connectTimeout: 5_000,
    });
    // A broker that is away is what this class is for; the client tries again by itself.
    this.#client.on('error', () => {});
  }

  publish(topic: string, message: object): void {
    const line = { topic, text: JSON.stringify(message) };
    this.#waiting.push(line);
    if (this.#isDuplicate) this.#waiting.push(line);
    this.#isDuplicate = false;
    this.#drain ??= this.#sendAll();
  }

  /** The next message is published twice, as when an acknowledgement is lost on the way back. */
  duplicateNext(): void {
    this.#isDuplicate = true;
  }

  async acknowledged(): Promise<void> {
    await this.#drain;
  }

  /** Ends the connection; what is not acknowledged is lost. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#client.endAsync(true);
  }

  // One at a time: mqtt.js sends what it stored and what is new side by side after a reconnect
  // (mqtt.js #978), and a sensor speaks in order.
  async #sendAll(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      try {
        await this.#client.publishAsync(next.topic, next.text, { qos: 1 });
      } catch (error) {
        if (this.#isClosed) return;
        throw error;
      }
      this.#waiting.shift();
    }
    this.#drain = undefined;
  }
}
