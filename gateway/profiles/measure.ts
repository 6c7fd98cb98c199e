/** What the profiles room hands to the meters room. */
import type { Semantics } from './mapping-schema.ts';

/** One number with its meaning. */
export interface Measure {
  readonly target: 'in' | 'out' | 'passages' | 'occupancy' | 'dwell_s' | 'dwell_max_s';
  readonly value: number;
  readonly semantics: Semantics;
  /**
   * `fallback` counts until the sensor first gives a total; `check` is a second account of the same
   * people, compared and never added.
   */
  readonly role: 'primary' | 'fallback' | 'check';
  /** Value at which a cumulative counter starts again at 0; null: never. */
  readonly modulus: number | null;
  /** Whether the device can lose its total; `often`: it clears it as a rule. */
  readonly resets: boolean | 'often';
}

/** A time of the day on the wall of one zone. */
export interface DailyTime {
  readonly minute: number;
  /** IANA name. */
  readonly zone: string;
}

/** The measures that a device gave together, about one line or zone at one time. */
export interface MeasureRecord {
  /** Line or zone inside the device, appended to the sensor's id; empty for a device with one. */
  readonly element: string;
  readonly region_id: string;
  readonly measures: readonly Measure[];
  /** The device's own times, ms since the epoch; null where it has none. Not yet believed. */
  readonly device: { readonly from: number | null; readonly to: number | null };
  /** Declared length of a delta interval without its own times, seconds; null: unknown. */
  readonly interval_s: number | null;
  /** The device sent a time that could not be read. */
  readonly time_unreadable: boolean;
  /** Names the message for ever; null where only totals are carried. */
  readonly dedupe_key: string | null;
  /** Changes when the device's totals were reset; null where it does not say. */
  readonly reset_marker: string | null;
  /** How long the device says it has been running, in any unit; less than before: it was restarted. */
  readonly uptime?: number;
  /** When of the day the device clears its totals. */
  readonly resets_daily?: DailyTime;
  readonly people_per_minute_max: number;
}

/** A part of a frame that could not be used, while the rest could. */
export interface RefusedRecord {
  readonly reason: DecodeFault;
  readonly detail: string;
}

/** Runs the text of a script codec on one message. Rejects with an Error that says what went wrong. */
export type RunScript = (source: string, bytes: Uint8Array, port: number) => Promise<unknown>;

/** What a frame says about its device. */
export interface DeviceHealth {
  /** Charge of its weakest battery, 0 to 100. */
  readonly battery_pct?: number;
  /** By name, whether it has the fault now. */
  readonly faults?: Readonly<Record<string, boolean>>;
}

/** What a frame turned out to be. */
export type Decoded =
  /** Messages of several devices in one frame, each with what became of it. */
  { readonly outcome: 'several'; readonly devices: readonly DeviceDecoded[] } | DeviceDecoded;

/** What the messages of one device turned out to be. */
export type DeviceDecoded =
  | {
      readonly outcome: 'records';
      readonly records: readonly MeasureRecord[];
      /** Unit number that the frame itself names, or null. */
      readonly unit: number | null;
      /** Device that the frame itself names, in lower case, or null. */
      readonly device: string | null;
      /** Parts of the frame that go to quarantine although the rest counts. */
      readonly refused: readonly RefusedRecord[];
      readonly health?: DeviceHealth;
    }
  /** Understood, and not about people. */
  | {
      readonly outcome: 'ignored';
      readonly reason: string;
      /** With `health`: the device that the frame itself names, as above. */
      readonly device?: string | null;
      readonly health?: DeviceHealth;
    }
  /** Not understood: goes to quarantine. */
  | { readonly outcome: 'fault'; readonly reason: DecodeFault; readonly detail: string };

/** A frame's devices, one by one. */
export function eachDevice(decoded: Decoded): readonly DeviceDecoded[] {
  return decoded.outcome === 'several' ? decoded.devices : [decoded];
}

export type DecodeFault =
  | 'alias_unknown'
  | 'malformed'
  | 'truncated'
  | 'not_this_device'
  | 'value_missing'
  | 'value_invalid'
  | 'unread';
