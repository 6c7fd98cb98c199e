/**
 * Who is there: what devices, their nodes and their last wills say about it, apart from what they
 * count. A word about presence counts nobody, and a sensor that is said to be gone need not be waited for.
 */
import type { SensorRegistry } from './pairing/sensor-registry.ts';
import { rebirthRequest } from './profiles/codecs/sparkplug.ts';
import { readPresence } from './profiles/presence.ts';
import { type SparkplugHeard, SparkplugNodes } from './profiles/sparkplug-nodes.ts';
import { isSparkplug, sparkplugTopic } from './profiles/sparkplug-topic.ts';
import type { Sightings } from './sightings.ts';
import type { Frame } from './sources/source.ts';

export interface PresenceOptions {
  readonly registry: SensorRegistry;
  readonly sightings: Sightings;
  /** Tells a device something through its source. */
  readonly tell: (source: string, topic: string, bytes: Uint8Array) => void;
}

export class Presence {
  readonly #options: PresenceOptions;
  readonly #nodes = new SparkplugNodes();

  constructor(options: PresenceOptions) {
    this.#options = options;
  }

  /** Whether the frame says of a paired sensor that it is there, or gone. A kept copy says so too. */
  hear({ source, address, bytes, received_at }: Frame): boolean {
    const about = this.#options.registry.withPresenceAt(source, address);
    for (const { sensor, profile } of about) {
      const is_here = profile.presence === undefined ? null : readPresence(profile.presence, bytes);
      if (is_here === null) continue;
      this.#options.sightings.present(sensor.sensor_id, is_here, received_at);
    }
    return about.length > 0;
  }

  /** @throws an Error where the bytes are no Sparkplug payload. */
  hearSparkplug({ source, address, bytes, received_at }: Frame): SparkplugHeard {
    const heard = this.#nodes.hear(source, address, bytes, received_at);
    if (heard.presence !== null) this.#note(source, heard, heard.presence, received_at);
    if (heard.ask !== null) {
      this.#options.tell(source, heard.ask, rebirthRequest(received_at));
    }
    return heard;
  }

  /** With a node all its devices are gone; each of them comes back with a birth of its own. */
  #note(
    source: string,
    { node }: SparkplugHeard,
    { is_here, device }: { is_here: boolean; device: string | undefined },
    at: number,
  ): void {
    const { registry, sightings } = this.#options;
    for (const { sensor } of registry.list()) {
      if (sensor.source !== source || !isSparkplug(sensor.topic ?? '')) continue;
      const its = sparkplugTopic(sensor.topic ?? '');
      const isMeant = its.device === device || (!is_here && device === undefined);
      if (its.node === node && isMeant) sightings.present(sensor.sensor_id, is_here, at);
    }
  }
}
