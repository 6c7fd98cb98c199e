/** What somebody far away needs to see of a gateway, as texts without secrets. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { arch, cpus, freemem, release, totalmem, uptime } from 'node:os';
import { join } from 'node:path';
import type { Finding } from '../../shared/findings/finding.ts';
import { errorText } from '../../shared/runtime/errors.ts';
import type { Config } from '../config/config.ts';
import { unit } from '../doctor/machine-evidence.ts';
import { askDaemon } from '../local/local-client.ts';
import type { GatewayStatus } from '../status.ts';
import { machineSecrets } from './machine-secrets.ts';
import { Redaction } from './secrets.ts';
import type { ArchivedFile } from './tar.ts';

/** Where the gateway has its things; null where its configuration cannot be read. */
export interface BundledPlace {
  readonly config: Config;
  readonly files: Record<'credential' | 'sensors' | 'runs' | 'socket', string>;
}

export interface Bundled {
  readonly version: string;
  /** ms since the epoch. */
  readonly now: number;
  readonly findings: readonly Finding[];
  /** Where the daemon's log was directed to; undefined: to the journal. */
  readonly log: string | undefined;
  /** Of the environment, what may name a login. */
  readonly environment: readonly string[];
}

const log_lines = 2_000;
const log_bytes_max = 4 * 1024 * 1024;
const journal_deadline_ms = 20_000;

export async function bundle(place: BundledPlace | null, given: Bundled): Promise<ArchivedFile[]> {
  const known = place === null ? [] : machineSecrets(place.config, place.files, given.environment);
  const redaction = new Redaction(known);
  const json = (name: string, value: unknown): ArchivedFile => ({
    name: `footbridge-diag/${name}`,
    text: `${JSON.stringify(redaction.value(value), null, 2)}\n`,
  });
  const log = place === null ? journal() : logOf(place.config, given.log);
  return [
    json('versions.json', versions(given)),
    json('doctor.json', given.findings),
    ...(place === null ? [] : await ofPlace(place, json)),
    { name: 'footbridge-diag/log.txt', text: redaction.log(log) },
  ];
}

async function ofPlace(
  { config, files }: BundledPlace,
  json: (name: string, value: unknown) => ArchivedFile,
): Promise<ArchivedFile[]> {
  const status = await askDaemon<GatewayStatus>(files.socket, 'GET', '/status').catch(
    (error: unknown) => ({ error: errorText(error), buffer: null }),
  );
  return [
    json('configuration.json', config),
    json('status.json', status),
    json('buffer.json', { statistics: status.buffer, files: listing(config.data_dir) }),
    json('sensors.json', document(files.sensors)),
    json('runs.json', document(files.runs)),
  ];
}

function versions({ version, now }: Bundled): object {
  const system = '/etc/os-release';
  return {
    footbridge: version,
    node: process.versions,
    system: existsSync(system) ? /^PRETTY_NAME="?([^"\n]*)/m.exec(text(system))?.[1] : null,
    kernel: release(),
    architecture: arch(),
    cores: cpus().length,
    memory: { total_bytes: totalmem(), free_bytes: freemem() },
    uptime_s: Math.round(uptime()),
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    now: new Date(now).toISOString(),
  };
}

/** Names, sizes and modes: says what a buffer weighs also where no daemon answers. */
function listing(folder: string): unknown {
  try {
    return readdirSync(folder).map((name) => {
      const { size, mode, uid, mtime } = statSync(join(folder, name));
      return { name, bytes: size, mode: (mode & 0o777).toString(8), uid, changed_at: mtime };
    });
  } catch (error) {
    return { error: errorText(error) };
  }
}

function document(path: string): unknown {
  try {
    return existsSync(path) ? JSON.parse(text(path)) : null;
  } catch (error) {
    return { error: error instanceof SyntaxError ? 'is no JSON' : errorText(error) };
  }
}

function logOf(config: Config, file: string | undefined): string {
  if (file !== undefined) return tail(text(file));
  if (config.data_dir === unit.data_dir) return journal();
  return `This gateway is no service: its log went where its stderr went (--log FILE).\n`;
}

function journal(): string {
  const parameters = ['-u', unit.name, '-n', String(log_lines), '-o', 'short-iso', '--no-pager'];
  try {
    const options = { encoding: 'utf8', timeout: journal_deadline_ms } as const;
    return execFileSync('journalctl', parameters, {
      ...options,
      maxBuffer: 4 * log_bytes_max,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    return `journalctl: ${errorText(error)}\n`;
  }
}

/** The first line may be half of one: half a line can hide what a whole one would show. */
function tail(whole: string): string {
  const lines = whole.slice(-log_bytes_max).split('\n');
  return lines
    .slice(Math.max(whole.length > log_bytes_max ? 1 : 0, lines.length - log_lines))
    .join('\n');
}

function text(path: string): string {
  return readFileSync(path, 'utf8');
}
