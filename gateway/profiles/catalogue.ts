/** The profiles of this gateway: those built in and those of the site's folder. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { problemText, readYaml } from '../config/yaml.ts';
import type { Profile } from './profile.ts';
import { profileSchema } from './profile.ts';

export type Catalogue = ReadonlyMap<string, Profile>;

/**
 * Reads every `*.yaml` of the folders. A site's profile may replace a built-in one of the same name.
 *
 * @throws FootbridgeError profile_invalid with all mistakes of all files.
 */
export function loadCatalogue(folders: readonly string[]): Catalogue {
  const read = folders.map(readFolder);
  const mistakes = read.flatMap(({ faults }) => [...faults.values()]);
  if (mistakes.length > 0) throw new FootbridgeError('profile_invalid', mistakes.join('\n'));
  return new Map(read.flatMap(({ profiles }) => [...profiles]));
}

/** The profiles of one folder, and what is wrong with its other files, both by name. */
export function readFolder(folder: string): {
  profiles: Map<string, Profile>;
  faults: Map<string, string>;
} {
  const profiles = new Map<string, Profile>();
  const faults = new Map<string, string>();
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  for (const file of files.filter((name) => name.endsWith('.yaml'))) {
    const read = readFile(join(folder, file));
    if (typeof read === 'string') faults.set(basename(file, '.yaml'), read);
    else profiles.set(read.name, read);
  }
  return { profiles, faults };
}

/** @throws FootbridgeError profile_invalid with every mistake of the file. */
export function readProfile(path: string): Profile {
  if (!existsSync(path)) throw new FootbridgeError('profile_invalid', `${path} does not exist`);
  const read = readFile(path);
  if (typeof read === 'string') throw new FootbridgeError('profile_invalid', read);
  return read;
}

/** @returns the profile with the text of its script, or what is wrong with it. */
function readFile(path: string): Profile | string {
  const checked = readYaml(readFileSync(path, 'utf8'), profileSchema);
  if (!checked.ok) return problemText(path, checked.problems);
  const profile = checked.value;
  if (profile.name !== basename(path, '.yaml')) {
    return `${path}:1  name  is "${profile.name}"; it must equal the file's name`;
  }
  if (profile.codec.kind !== 'script') return profile;
  const script = join(dirname(path), profile.codec.file);
  if (!existsSync(script)) return `${path}:1  codec.file  ${script} does not exist`;
  const codec = { ...profile.codec, source: readFileSync(script, 'utf8') };
  return { ...profile, codec };
}

/** @throws FootbridgeError profile_unknown, naming the profiles there are. */
export function profileNamed(catalogue: Catalogue, name: string): Profile {
  const profile = catalogue.get(name);
  if (profile === undefined) {
    const known = [...catalogue.keys()].join(', ');
    throw new FootbridgeError('profile_unknown', `"${name}"; known: ${known}`);
  }
  return profile;
}
