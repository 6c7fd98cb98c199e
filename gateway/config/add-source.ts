/** A source more in the text of a configuration; its comments and order stay. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { configSchema, defaultSources } from './config.ts';
import { appended, problemText, readYaml } from './yaml.ts';

/**
 * @param file where the text comes from, for what is said of it.
 * @throws FootbridgeError config_invalid, source_exists
 */
export function withSource(file: string, text: string, source: { readonly name: string }): string {
  const before = checked(file, text);
  if (before.sources.some(({ name }) => name === source.name)) {
    throw new FootbridgeError('source_exists', `"${source.name}" in ${file}`);
  }
  // A configuration that names none has the default one, and keeps it.
  const changed = appended(text, 'sources', source, defaultSources);
  checked(file, changed);
  return changed;
}

function checked(file: string, text: string) {
  const read = readYaml(text, configSchema);
  if (!read.ok) throw new FootbridgeError('config_invalid', problemText(file, read.problems));
  return read.value;
}
