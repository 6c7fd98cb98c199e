/**
 * The site's folder of profiles, watched while the gateway runs: a new or changed file counts from the
 * next frame on. A file with a mistake changes nothing; what was read before stays, and the mistake is
 * told until it is gone.
 */
import { existsSync, type FSWatcher, watch } from 'node:fs';
import type { Clock } from '../../shared/runtime/clock.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Part } from '../../shared/runtime/lifecycle.ts';
import type { Log } from '../../shared/runtime/log.ts';
import { type Catalogue, readFolder } from './catalogue.ts';
import type { Profile } from './profile.ts';

/** An editor writes a file in several steps; they are over by then. */
const settle_ms = 200;
/** A folder that is not there is looked for this often. */
const look_again_ms = 10_000;

/** A profile of the site that is not in use as it stands in its file. */
export interface ProfileFault {
  readonly profile: string;
  readonly detail: string;
}

export interface SiteProfilesOptions {
  readonly folder: string;
  readonly built_in: Catalogue;
  readonly clock: Clock;
  readonly log: Log;
}

export class SiteProfiles implements Part {
  readonly name = 'profiles';
  readonly #options: SiteProfilesOptions;
  readonly #catalogue: Map<string, Profile>;
  #faults: readonly ProfileFault[] = [];
  #renew: (name: string) => void = () => {};
  #watcher: FSWatcher | undefined;
  #stopWaiting: () => void = () => {};

  /** @param catalogue what is in use: kept up to date. */
  constructor(options: SiteProfilesOptions, catalogue: Map<string, Profile>) {
    this.#options = options;
    this.#catalogue = catalogue;
  }

  /** @param renew called with a profile's name when it has another text; refuses it by throwing. */
  onChange(renew: (name: string) => void): void {
    this.#renew = renew;
  }

  faults(): readonly ProfileFault[] {
    return this.#faults;
  }

  start(): void {
    this.#watch();
  }

  stop(): void {
    this.#stopWaiting();
    this.#watcher?.close();
  }

  #watch(): void {
    const { folder } = this.#options;
    this.#watcher?.close();
    this.#watcher = undefined;
    try {
      this.#watcher = watch(folder, () => this.#after(settle_ms, () => this.#read()));
      this.#watcher.on('error', () => this.#after(look_again_ms, () => this.#watch()));
      // What came between the start, or the folder's return, and now.
      this.#read();
    } catch {
      this.#after(look_again_ms, () => this.#watch());
    }
  }

  #after(ms: number, run: () => void): void {
    this.#stopWaiting();
    this.#stopWaiting = this.#options.clock.after(ms, run);
  }

  #read(): void {
    const { folder, built_in, log } = this.#options;
    if (!existsSync(folder)) {
      this.#watch();
      return;
    }
    const { profiles, faults } = readFolder(folder);
    const wanted = new Map([...built_in, ...profiles]);
    for (const name of new Set([...wanted.keys(), ...this.#catalogue.keys()])) {
      if (faults.has(name)) continue;
      const refusal = this.#adopt(name, wanted.get(name));
      if (refusal !== null) faults.set(name, refusal);
    }
    const told = new Set(this.#faults.map(({ detail }) => detail));
    this.#faults = [...faults].map(([profile, detail]) => ({ profile, detail }));
    for (const fault of this.#faults) if (!told.has(fault.detail)) log.warn(fault, 'profile_kept');
  }

  /** @returns why the profile stays as it was, or null. */
  #adopt(name: string, profile: Profile | undefined): string | null {
    const before = this.#catalogue.get(name);
    if (JSON.stringify(before) === JSON.stringify(profile)) return null;
    if (profile === undefined) this.#catalogue.delete(name);
    else this.#catalogue.set(name, profile);
    try {
      this.#renew(name);
      this.#options.log.info({ profile: name }, profile ? 'profile_read' : 'profile_gone');
      return null;
    } catch (error) {
      if (before !== undefined) this.#catalogue.set(name, before);
      return errorText(error);
    }
  }
}
