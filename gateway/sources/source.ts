/**
 * What every source offers, whatever its transport. A source owns one connection, turns what
 * arrives into frames, and knows nothing of sensors, profiles or the buffer.
 */

/** Bytes as received. */
export interface Frame {
  /** Name of the source in the configuration. */
  readonly source: string;
  /** Where in the source it came from: an MQTT topic, an HTTP path, or `unit/7` on a bus. */
  readonly address: string;
  readonly bytes: Uint8Array;
  /** Gateway's wall clock at arrival, ms since the epoch. */
  readonly received_at: number;
  /** The broker's stored copy of a topic's last message, or a last will: state, never an event. */
  readonly retained?: boolean | undefined;
  /** Set when the source itself saw that the bytes cannot be used. */
  readonly fault?: FrameFault | undefined;
}

/** Where frames of a serial line come from that nobody asked for. */
export const line_address = 'line';

/** Why a source could not make a usable frame of the bytes; becomes the reason in quarantine. */
export interface FrameFault {
  readonly reason:
    | 'checksum'
    | 'too_large'
    | 'truncated'
    | 'exception_answer'
    | 'unknown_unit'
    | 'unreadable';
  /** The value seen beside the one expected. */
  readonly detail: string;
}

/**
 * Takes a frame and resolves when all it says is on disk, as readings or in quarantine. It never
 * rejects: while the disk fails it stays pending, so the sensor is not acknowledged. Frames that
 * share a commit get the same promise, so that a thousand of them cost one callback.
 */
export type Accept = (frame: Frame) => Promise<void>;

/** What a unit on a bus did when it was last asked. */
export interface UnitStatus {
  readonly address: string;
  readonly state: 'unasked' | 'answering' | 'silent' | 'faulty';
  /** Polls without a usable answer, since the last usable one. */
  readonly missed: number;
  /** What the last missed poll ended in, or null. */
  readonly error: string | null;
  /** Hex of what was heard instead of that answer, its first bytes; null: nothing. */
  readonly noise: string | null;
}

export type SourceState = 'starting' | 'running' | 'failing' | 'stopped';

export interface SourceStatus {
  readonly source: string;
  readonly kind: string;
  readonly state: SourceState;
  /** Text of the last error while failing, else null. */
  readonly error: string | null;
  /** Frames handed on since start. */
  readonly frames: number;
  /** ms since the epoch, or null before the first frame. */
  readonly last_frame_at: number | null;
  /** Devices turned away since start: no login, a wrong one, or one for another address. */
  readonly refused: number;
  /** Who was turned away last, or null. */
  readonly last_refusal: string | null;
  /** The devices that the source asks; empty where devices speak by themselves. */
  readonly units: readonly UnitStatus[];
}

export interface Source {
  readonly name: string;
  /** Begins to connect and returns; an unreachable device is a state, not a failed start. */
  start(): Promise<void>;
  stop(): Promise<void>;
  status(): SourceStatus;
}

/** A frame's bytes may not be longer than this: Xovis live data without pictures reaches 35 kB. */
export const frame_bytes_max = 256 * 1024;
