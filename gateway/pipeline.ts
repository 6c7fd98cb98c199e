/**
 * The one place where the stages of a reading meet: frame → measures → meter → buffer. Nothing
 * that arrives leaves without a trace: it becomes readings, is ignored under a counted reason, or
 * stands in quarantine.
 */
import type { Clock } from '../shared/runtime/clock.ts';
import { errorText } from '../shared/runtime/errors.ts';
import type { Log } from '../shared/runtime/log.ts';
import type { Entry, UndatedRow } from './buffer/entry.ts';
import type { ReadingBuffer } from './buffer/reading-buffer.ts';
import type { Recovered } from './buffer/recovered.ts';
import type { Dated, Dating } from './dating.ts';
import { forDevice } from './meters/device-change.ts';
import { turn } from './meters/direction.ts';
import { keyOfText, messageKey } from './meters/message-key.ts';
import { type MeterState, newMeterState, step } from './meters/meter.ts';
import { RecentKeys } from './meters/recent-keys.ts';
import { Tally } from './meters/tally.ts';
import { isHousekeeping } from './pairing/housekeeping-topics.ts';
import { deviceAddress, keyOfDevice, unitAddress } from './pairing/sensor.ts';
import type { PairedSensor, SensorRegistry } from './pairing/sensor-registry.ts';
import type { Strangers } from './pairing/strangers.ts';
import { Presence } from './presence.ts';
import { decode } from './profiles/decode.ts';
import type { Decoded, DeviceDecoded, MeasureRecord, RunScript } from './profiles/measure.ts';
import { type DecodeOptions, runScripts } from './profiles/messages.ts';
import type { SparkplugHeard } from './profiles/sparkplug-nodes.ts';
import { isSparkplug } from './profiles/sparkplug-topic.ts';
import { quarantining } from './quarantining.ts';
import { type Sighting, Sightings } from './sightings.ts';
import type { Frame } from './sources/source.ts';

export interface PipelineOptions {
  readonly registry: SensorRegistry;
  readonly buffer: Pick<ReadingBuffer, 'append'>;
  readonly recovered: Pick<Recovered, 'meters' | 'keys'>;
  /** Keeps what comes before the clock is set; missing where it is. */
  readonly dating?: Dating;
  readonly runScript: RunScript;
  /** Remembers who speaks and is not paired. */
  readonly strangers?: Strangers;
  /** Tells a device something through its source. */
  readonly tell?: (source: string, topic: string, bytes: Uint8Array) => void;
  readonly report_interval_ms: number;
  readonly clock: Clock;
  readonly log: Log;
}

const nothingToWrite = Promise.resolve();
const nothingCounted: Entry = { readings: [], dedupe_key: null, meter: null, quarantined: [] };

/** What the meter has to know of a sensor, as it was when the record came. */
interface Metered {
  readonly sensor_id: string;
  readonly direction: PairedSensor['sensor']['direction'];
  readonly replaced?: number | undefined;
  readonly metered_device: string;
}

type Understood = Extract<DeviceDecoded, { outcome: 'records' }>;

export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #meters = new Map<string, MeterState>();
  /** Sensors with a running total whose last interval ended before the start. */
  readonly #resumed = new Set<string>();
  readonly #keys = new RecentKeys();
  /** What people who watch may see at once. */
  readonly tally = new Tally();
  readonly #sightings = new Sightings();
  readonly #presence: Presence;
  readonly #ignored = new Map<string, number>();

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { registry, tell = () => {} } = options;
    this.#presence = new Presence({ registry, sightings: this.#sightings, tell });
    for (const { sensor_id, state } of options.recovered.meters) {
      this.#meters.set(sensor_id, state);
      const { totals, since } = state;
      const isTotal = totals.in !== null || totals.out !== null;
      if (isTotal && since !== null) this.#resumed.add(sensor_id);
    }
    for (const { sensor_id, dedupe_key } of options.recovered.keys) {
      this.#keys.add(sensor_id, keyOfText(dedupe_key));
    }
    options.dating?.onDated((row, dated) => this.#countDated(row, dated));
  }

  /** Takes a frame from a source; resolves when all it says is on disk. */
  accept(frame: Frame): Promise<void> {
    if (isSparkplug(frame.address)) return this.#acceptSparkplug(frame);
    const { registry } = this.#options;
    const asked =
      registry.at(frame.source, frame.address) ?? registry.sharing(frame.source, frame.address);
    if (asked === undefined) {
      if (this.#presence.hear(frame)) return this.#ignore('presence');
      if (isHousekeeping(frame.address)) return this.#ignore('housekeeping');
    }
    if (frame.retained === true) {
      if (asked !== undefined) this.#sightings.retained(asked.sensor.sensor_id);
      return this.#ignore('retained');
    }
    return this.#take(asked, frame);
  }

  /** One device speaks on several topics, and what its data mean was said at its birth. */
  #acceptSparkplug(frame: Frame): Promise<void> {
    if (frame.fault !== undefined) return this.#take(undefined, frame);
    let heard: SparkplugHeard;
    try {
      heard = this.#presence.hearSparkplug(frame);
    } catch (error) {
      return this.#quarantine(frame, 'malformed', errorText(error));
    }
    const { address, ignored, payload, presence } = heard;
    if (ignored !== null) return this.#ignore(ignored);
    const asked = this.#options.registry.at(frame.source, address);
    const isOfNode = presence?.device === undefined && asked === undefined;
    if (isOfNode && presence !== null) return this.#ignore('sparkplug_node');
    // Who is not paired is recognised by its birth: its data may have no names.
    return this.#take(asked, { ...frame, address }, { payload }, presence !== null);
  }

  #take(
    asked: PairedSensor | undefined,
    frame: Frame,
    options: DecodeOptions = {},
    isTelling = true,
  ): Promise<void> {
    if (frame.fault !== undefined) {
      return this.#quarantine(frame, frame.fault.reason, frame.fault.detail);
    }
    if (asked === undefined) {
      if (isTelling) this.#options.strangers?.note(frame);
      return this.#quarantine(
        frame,
        'unknown_address',
        `no sensor is paired with ${frame.address}`,
      );
    }
    if (asked.profile.codec.kind === 'script') return this.#acceptScripted(asked, frame);
    return this.#understand(asked, decode(asked.profile, frame.bytes, options), frame);
  }

  /** The frames of one profile stay in their order: its script answers them one after another. */
  async #acceptScripted(asked: PairedSensor, frame: Frame): Promise<void> {
    const { profile } = asked;
    const scripted = await runScripts(profile, frame.bytes, this.#options.runScript);
    await this.#understand(asked, decode(profile, frame.bytes, scripted), frame);
  }

  #understand(asked: PairedSensor, decoded: Decoded, frame: Frame): Promise<void> {
    if (decoded.outcome !== 'several') return this.#understandDevice(asked, decoded, frame);
    if (asked.sensor.device === undefined) {
      this.#options.strangers?.note(frame);
      const detail = 'messages of several devices; pair each of them with --device';
      return this.#quarantine(frame, 'unknown_unit', detail);
    }
    const all = decoded.devices.map((each) => this.#understandDevice(asked, each, frame));
    return Promise.all(all).then(() => {});
  }

  #understandDevice(asked: PairedSensor, decoded: DeviceDecoded, frame: Frame): Promise<void> {
    if (decoded.outcome === 'fault') return this.#quarantine(frame, decoded.reason, decoded.detail);
    if (decoded.outcome === 'ignored') {
      this.#sightings.seen(asked.sensor.sensor_id, frame.received_at);
      const { health, device = null } = decoded;
      const owner = health && this.#answering(asked, { unit: null, device });
      if (owner) this.#sightings.told(owner.sensor.sensor_id, health);
      return this.#ignore(decoded.reason);
    }
    const paired = this.#answering(asked, decoded);
    if (paired === undefined) {
      this.#options.strangers?.note(frame);
      const named = decoded.device ?? decoded.unit;
      return this.#quarantine(
        frame,
        'unknown_unit',
        `the frame names ${named}, which is not paired`,
      );
    }
    this.#sightings.seen(paired.sensor.sensor_id, frame.received_at);
    if (decoded.health) this.#sightings.told(paired.sensor.sensor_id, decoded.health);
    return this.#count(paired, decoded, frame);
  }

  /** What was seen of the sensor since start. */
  sighting(sensor_id: string): Sighting {
    return this.#sightings.of(sensor_id);
  }

  /** Frames that were understood and carried no people, by reason. */
  ignored(): Record<string, number> {
    return Object.fromEntries(this.#ignored);
  }

  /** Several devices share one line or topic; the name in the frame wins over the address. */
  #answering(
    asked: PairedSensor,
    { unit, device }: Pick<Understood, 'unit' | 'device'>,
  ): PairedSensor | undefined {
    const { registry } = this.#options;
    const { source, path } = asked.sensor;
    const topic = asked.sensor.topic ?? path;
    if (topic !== undefined && asked.sensor.device !== undefined) {
      return device === null ? undefined : registry.at(source, deviceAddress(topic, device));
    }
    if (unit === null || asked.sensor.unit === unit) return asked;
    return registry.at(source, unitAddress(unit));
  }

  #count(paired: PairedSensor, understood: Understood, frame: Frame): Promise<void> {
    const { buffer, dating } = this.#options;
    const behind = dating?.caughtUp;
    if (behind) return behind.then(() => this.#count(paired, understood, frame));
    const { sensor_id, direction, replaced } = paired.sensor;
    const metered = { sensor_id, direction, replaced, metered_device: paired.metered_device };
    const entries: Entry[] = [];
    for (const record of understood.records) {
      const entry = dating?.waits
        ? dating.entryOf(JSON.stringify({ metered, record }))
        : this.#meter(metered, record, { received_at: frame.received_at, flags: 0 });
      if (entry !== null) entries.push(entry);
    }
    for (const { reason, detail } of understood.refused) {
      entries.push(quarantining(frame, reason, detail));
    }
    return entries.length === 0 ? nothingToWrite : buffer.append(entries);
  }

  /** A record that waited for the clock is settled by the commit that has its readings. */
  #countDated({ id, record }: UndatedRow, dated: Dated): Promise<void> {
    const kept = JSON.parse(record) as { metered: Metered; record: MeasureRecord };
    const entry = this.#meter(kept.metered, kept.record, dated) ?? nothingCounted;
    return this.#options.buffer.append([{ ...entry, dated: id }]);
  }

  /** @returns null where nothing has to reach the disk. */
  #meter(metered: Metered, record: MeasureRecord, { received_at, flags }: Dated): Entry | null {
    const device = metered.sensor_id;
    const sensor_id = record.element === '' ? device : `${device}/${record.element}`;
    const named = keyOfDevice(metered, record.dedupe_key);
    const dedupe_key = named === null ? null : messageKey(named);
    if (dedupe_key !== null && this.#keys.has(sensor_id, dedupe_key)) {
      this.#note('duplicate');
      // Its first delivery may still wait for the disk; an empty entry waits behind it.
      return nothingCounted;
    }
    const known = this.#meters.get(sensor_id) ?? newMeterState;
    const before = forDevice(known, metered.metered_device);
    const { report_interval_ms, log } = this.#options;
    const turned = turn(record, metered.direction);
    const isResumed = this.#resumed.has(sensor_id);
    const times = { received_at, report_interval_ms, flags, isResumed };
    const after = step(before, sensor_id, turned, times);
    this.#meters.set(sensor_id, after.state);
    this.tally.add(sensor_id, before.pending, after, received_at);
    if (dedupe_key !== null) this.#keys.add(sensor_id, dedupe_key);
    for (const note of after.notes) {
      log.info({ sensor_id, note }, 'meter');
      this.#sightings.noted(device, note);
    }
    if (!after.changed) return null;
    const meter = { sensor_id, state: after.state };
    const entry = { readings: after.readings, dedupe_key, meter, quarantined: [] };
    const isInterval = after.readings.length > 0 && after.state.totals !== before.totals;
    const isFirstInterval = isInterval && this.#resumed.delete(sensor_id);
    return isFirstInterval ? { ...entry, isFirstInterval } : entry;
  }

  #ignore(reason: string): Promise<void> {
    this.#note(reason);
    return nothingToWrite;
  }

  #note(reason: string): void {
    this.#ignored.set(reason, (this.#ignored.get(reason) ?? 0) + 1);
  }

  #quarantine(frame: Frame, reason: string, detail: string): Promise<void> {
    return this.#options.buffer.append([quarantining(frame, reason, detail)]);
  }
}
