/** What a torture is asked to do, and what it found. */

export interface Asked {
  readonly runs: number;
  /** The same seed does the same harm. */
  readonly seed: number;
  /** Of the path: kills to a power cut; undefined: as the scenarios say. */
  readonly kills_per_cut?: number | undefined;
  /** Of the path: kills that put an image of the gateway's disk back. */
  readonly images?: number | undefined;
}

/** A run under torture; `isHeld` says whether the law held. */
export interface Tortured {
  readonly lines: readonly string[];
  readonly document: Readonly<Record<string, unknown>>;
  readonly isHeld: boolean;
}

export type Torture = (asked: Asked, tell: (text: string) => void) => Promise<Tortured>;
