/** The profiles of this gateway: those built in and those of the site's folder. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
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
  const profiles = new Map<string, Profile>();
  const mistakes: string[] = [];
  for (const folder of folders.filter((each) => existsSync(each))) {
    for (const file of readdirSync(folder)
      .filter((name) => name.endsWith('.yaml'))
      .sort()) {
      const path = join(folder, file);
      const checked = readYaml(readFileSync(path, 'utf8'), profileSchema);
      if (!checked.ok) mistakes.push(problemText(path, checked.problems));
      else if (checked.value.name !== basename(file, '.yaml')) {
        mistakes.push(`${path}:1  name  is "${checked.value.name}"; it must equal the file's name`);
      } else profiles.set(checked.value.name, checked.value);
    }
  }
  if (mistakes.length > 0) throw new FootbridgeError('profile_invalid', mistakes.join('\n'));
  return profiles;
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
