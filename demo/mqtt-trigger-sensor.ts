/** A counter that sends one message for each person, at the moment they pass. */
import type { Clock } from '../shared/runtime/clock.ts';
import type { Direction } from './door.ts';
import { messageId } from './mqtt-delta-sensor.ts';
import type { Outbox } from './publisher.ts';

export class MqttTriggerSensor {
  readonly #topic: string;
  readonly #publisher: Outbox;
  readonly #started_at: number;
  #crossings = 0;

  constructor(options: { sensor_id: string; publisher: Outbox; clock: Clock }) {
    this.#topic = `triggers/${options.sensor_id}`;
    this.#publisher = options.publisher;
    this.#started_at = options.clock.now();
  }

  cross(direction: Direction, at: number): void {
    this.#crossings += 1;
    this.#publisher.publish(this.#topic, {
      id: messageId(this.#started_at, this.#crossings),
      time: new Date(at).toISOString(),
      direction,
    });
  }

  /** Resolves when the broker has acknowledged all crossings. */
  async hold(): Promise<void> {
    await this.#publisher.acknowledged();
  }
}
