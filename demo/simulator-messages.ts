/** What the demo and a store's simulator say to each other. */
import type { Truth } from './door.ts';

export type DoorSpec = { readonly sensor_id: string } & (
  | { readonly kind: 'mqtt-delta' }
  | { readonly kind: 'mqtt-trigger' }
  | { readonly kind: 'modbus'; readonly unit: number }
  /** `unit` is four upper-case hex digits, as in the request. */
  | { readonly kind: 'serial'; readonly unit: string }
);

/** The simulator's one argument, as JSON. */
export interface SimulatorSpec {
  readonly store: string;
  readonly seed: number;
  /** People a minute through each door. */
  readonly rate_per_min: number;
  readonly doors: readonly DoorSpec[];
  /** The broker of the MQTT doors. */
  readonly mqtt?: { readonly url: string };
}

export type SimulatorRequest =
  /** The gateway listens: MQTT sensors begin to speak, and people to walk through their doors. */
  | { readonly kind: 'open' }
  /** What walked so far. */
  | { readonly kind: 'truth' }
  /** People stop; answered when all messages are acknowledged. */
  | { readonly kind: 'hold' }
  /** The next message of each MQTT sensor is published twice. */
  | { readonly kind: 'duplicate' }
  | { readonly kind: 'stop' };

export type SimulatorAnswer =
  | { readonly kind: 'ready'; readonly serial_path?: string; readonly modbus_port?: number }
  | { readonly kind: 'truth'; readonly sensors: readonly Truth[] }
  | { readonly kind: 'held' };
