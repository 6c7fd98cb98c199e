/** The secrets that lie on this machine, as far as this account may read them. */
import { existsSync, readFileSync } from 'node:fs';
import { jsonOrNull } from '../../shared/runtime/json.ts';
import type { Config } from '../config/config.ts';

/** Certificates are shown to everybody; what else a `…_file` holds is not. */
const publicFiles = /^(client_)?(ca|cert)_file$/;

export function machineSecrets(
  config: Config,
  files: { credential: string; sensors: string },
  environment: Iterable<string>,
): Set<string> {
  const texts = [...environment];
  const secrets = new Set<string>();
  visit(config, (name, value) => {
    if (name.endsWith('_file') && !publicFiles.test(name)) {
      // A key has several, and a log shows them one by one.
      for (const line of textOf(value).split('\n')) secrets.add(line);
    } else texts.push(value);
  });
  const { credential_file } = config.hq;
  const documents = [files.credential, files.sensors, credential_file ?? files.credential];
  for (const path of documents) {
    visit(jsonOrNull(textOf(path)), (name, value) => {
      if (name.startsWith('secret')) secrets.add(value);
    });
  }
  for (const text of texts) for (const login of loginsIn(text)) secrets.add(login);
  return secrets;
}

/** The passwords of addresses such as `mqtt://name:password@host`, as written and as meant. */
function loginsIn(text: string): string[] {
  return [...text.matchAll(/:\/\/[^\s/:@]*:(\S*)@/g)].flatMap(([, written = '']) => {
    try {
      return [written, decodeURIComponent(written)];
    } catch {
      return [written];
    }
  });
}

function visit(value: unknown, see: (name: string, value: string) => void): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, held] of Object.entries(value)) {
    if (typeof held === 'string') see(name, held);
    else visit(held, see);
  }
}

/** Empty where this account may not read it: nothing that it starts can then show it. */
function textOf(path: string): string {
  try {
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  } catch {
    return '';
  }
}
