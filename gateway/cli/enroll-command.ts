/** `footbridge enroll`. */
import { existsSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { BufferStats } from '../buffer/entry.ts';
import { askDaemon } from '../local/local-client.ts';
import type { GatewayStatus } from '../status.ts';
import { readCredential } from '../sync/credential.ts';
import { enroll } from '../sync/enroll.ts';
import { HqClient } from '../sync/hq-client.ts';
import { printNext } from './command-line.ts';
import { type Installation, type Setting, settingOf } from './setting.ts';

interface EnrollOptions {
  hq: string;
  token: string;
  name?: string;
  force?: boolean;
  json?: boolean;
}

export function addEnrollCommand(program: Command, installation: Installation): void {
  program
    .command('enroll')
    .description('join this gateway to its store at HQ with a single-use token')
    .requiredOption('--hq <url>', 'address of HQ')
    .requiredOption('--token <token>', 'what `footbridge-hq gateway invite` printed')
    .option('--name <text>', 'what HQ calls this gateway (default: the host’s name)')
    .option(
      '--force',
      'enrol again although a credential exists; readings that wait go along, within their store',
    )
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExample:\n  footbridge enroll --hq https://hq.example.com --token fbt_…',
    )
    .action(async (options: EnrollOptions, command: Command) => {
      const setting = settingOf(command, installation);
      const instead_of = await formerGateway(setting, options.force === true);
      mkdirSync(setting.config.data_dir, { recursive: true });
      const { secret: _secret, ...shown } = await enroll({
        client: new HqClient(httpUrl(options.hq), systemClock, setting.config.hq),
        hq_url: options.hq,
        token: options.token,
        name: options.name ?? hostname(),
        version: installation.version,
        credential_path: setting.files.credential,
        instead_of,
      });
      if (options.json === true) return printJson(shown);
      printLine(`enrolled: store ${shown.store} of ${shown.organization}, ${shown.timezone}`);
      printLine('A running gateway starts to deliver by itself.');
      printNext(command, installation, 'sensor', 'discover');
    });
}

/**
 * The gateway that this one was, where its readings still wait: they belong to the store in which people
 * walked, so HQ then takes no token of another. Undefined: nothing waits.
 *
 * @throws FootbridgeError already_enrolled
 */
async function formerGateway(setting: Setting, force: boolean): Promise<string | undefined> {
  const { credential_file } = setting.config.hq;
  if (credential_file !== undefined && existsSync(credential_file)) {
    throw new FootbridgeError('already_enrolled', `by hq.credential_file, ${credential_file}`, {
      hint: 'Take hq.credential_file out of the configuration to enrol anew.',
    });
  }
  if (existsSync(setting.files.credential) && !force) {
    const { store, organization } = readCredential(setting.files.credential);
    throw new FootbridgeError('already_enrolled', `store ${store} of ${organization}`);
  }
  const { buffered, held, undated, gateway_id } = await bufferOf(setting);
  const isEmpty = buffered === 0 && held.length === 0 && undated === 0;
  return isEmpty ? undefined : (gateway_id ?? undefined);
}

type Waiting = Pick<BufferStats, 'buffered' | 'held' | 'undated' | 'gateway_id'>;

/** Of a running daemon, else of its file. The credential may be damaged; whose the readings are stands here. */
async function bufferOf({ files }: Setting): Promise<Waiting> {
  try {
    return (await askDaemon<GatewayStatus>(files.socket, 'GET', '/status')).buffer;
  } catch (error) {
    if (!(error instanceof FootbridgeError && error.code === 'not_running')) throw error;
  }
  if (!existsSync(files.buffer)) return { buffered: 0, held: [], undated: 0, gateway_id: null };
  const { ReadingLog } = await import('../buffer/reading-log.ts');
  const { openBufferForReading } = await import('../buffer/schema.ts');
  const log = new ReadingLog(openBufferForReading(files.buffer), null);
  try {
    return log.stats();
  } finally {
    log.close();
  }
}

/** @throws FootbridgeError usage */
function httpUrl(text: string): string {
  const protocol = URL.canParse(text) ? new URL(text).protocol : '';
  if (protocol === 'https:' || protocol === 'http:') return text;
  throw new FootbridgeError(
    'usage',
    `--hq is "${text}"; it takes an address such as https://hq.example.com`,
  );
}
