/** Whether a Mosquitto on this machine keeps what it acknowledged through a power cut. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SourceConfig } from '../config/config.ts';
import type { BrokerEvidence } from './evidence.ts';
import { holdersOfPort } from './process-table.ts';

/** Mosquitto's own defaults (mosquitto.conf(5)). */
const defaults: Readonly<Record<string, string>> = {
  persistence: 'false',
  autosave_interval: '1800',
  autosave_on_changes: 'false',
};
/** What may be lost at most: seconds, or messages with autosave_on_changes. */
const autosave_interval_max = 1;
const files_max = 50;

/** One for each source whose broker runs here and would forget. */
export function brokerEvidence(sources: readonly SourceConfig[]): BrokerEvidence[] {
  return sources.flatMap((source) => {
    if (source.kind !== 'mqtt-connect') return [];
    const { hostname, port } = new URL(source.url);
    if (!['localhost', '127.0.0.1', '[::1]'].includes(hostname)) return [];
    const [broker] = holdersOfPort(Number(port || 1883)).filter(({ command: [program = ''] }) =>
      program.endsWith('mosquitto'),
    );
    if (broker === undefined) return [];
    const at = broker.command.indexOf('-c');
    const file = at === -1 ? undefined : broker.command[at + 1];
    const settings = file === undefined ? {} : settingsOf(file);
    return isDurable(settings)
      ? []
      : [{ source: source.name, settings: settingsText({ ...defaults, ...settings }) }];
  });
}

export function isDurable(settings: Readonly<Record<string, string>>): boolean {
  const { persistence, autosave_interval } = { ...defaults, ...settings };
  const interval = Number(autosave_interval);
  // 0 means: only when the broker ends.
  return persistence === 'true' && interval > 0 && interval <= autosave_interval_max;
}

function settingsText(settings: Readonly<Record<string, string>>): string {
  return Object.keys(defaults)
    .map((name) => `${name} ${settings[name]}`)
    .join(', ');
}

/** The last line of a name wins, as in Mosquitto. */
function settingsOf(file: string): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const each of filesOf(file)) {
    const text = existsSync(each) ? readFileSync(each, 'utf8') : '';
    for (const [, name = '', value = ''] of text.matchAll(/^\s*(\w+)\s+(.*?)\s*$/gm)) {
      if (name in defaults) settings[name] = value;
    }
  }
  return settings;
}

function filesOf(file: string): string[] {
  if (!existsSync(file)) return [];
  const folders = [...readFileSync(file, 'utf8').matchAll(/^\s*include_dir\s+(\S+)/gm)];
  const included = folders.flatMap(([, folder = '']) =>
    !existsSync(folder)
      ? []
      : readdirSync(folder)
          .filter((name) => name.endsWith('.conf'))
          .sort()
          .map((name) => join(folder, name)),
  );
  return [file, ...included].slice(0, files_max);
}
