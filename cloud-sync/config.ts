/** What the environment may set for HQ. Everything else is an option of a command. */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { FootbridgeError } from '../shared/runtime/errors.ts';

/** How e-mail leaves. */
export interface MailSettings {
  /** smtp:// or smtps://, with user and password where the server asks for them. */
  readonly url: string;
  /** Sender, such as `Footbridge <alerts@acme.example>`. */
  readonly from: string;
}

/** Who we are to an S3-compatible store; its bucket is named where an archive is. */
export interface BucketSettings {
  /** Such as `https://s3.eu-central-1.amazonaws.com`, without a slash at its end. */
  readonly endpoint: string;
  readonly region: string;
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly session_token: string | undefined;
}

export interface Config {
  /** Login that serves; absent: the embedded default. */
  readonly database_url: string | undefined;
  /** Login that owns the schema, for `migrate`; the serving one where they are the same. */
  readonly migration_database_url: string | undefined;
  readonly data_dir: string;
  readonly log_level: string;
  /** Null: no e-mail is sent. */
  readonly mail: MailSettings | null;
  /** Null: no credentials, so no archive in a bucket. */
  readonly bucket: BucketSettings | null;
  /** Where journald reads our stderr; see shared/runtime/log.ts. */
  readonly journal: string | undefined;
  readonly notify: { NOTIFY_SOCKET?: string | undefined; WATCHDOG_USEC?: string | undefined };
}

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/**
 * Reads the environment, and secrets from files.
 *
 * @param installed whether the program lies where the package puts it: then root, who types commands,
 *   reads the secrets where they stand, as systemd does for the service.
 * @throws config_invalid with all mistakes at once.
 */
export function readConfig(
  installed = false,
  environment: NodeJS.ProcessEnv = process.env,
): Config {
  const mistakes: string[] = [];
  const url = (name: string) => {
    const value = environment[name];
    if (value !== undefined && !/^postgres(ql)?:\/\//.test(value)) {
      mistakes.push(`${name} must start with postgres:// or postgresql://`);
    }
    return value;
  };
  const secret = (name: string, whose: keyof typeof secretFolders) =>
    credential(environment, installed, name, whose);
  const log_level = environment['FOOTBRIDGE_LOG_LEVEL'] ?? 'info';
  if (!levels.includes(log_level)) {
    mistakes.push(`FOOTBRIDGE_LOG_LEVEL is "${log_level}"; use one of ${levels.join(', ')}`);
  }
  const smtp_url = environment['SMTP_URL'];
  const from = environment['FOOTBRIDGE_HQ_MAIL_FROM'];
  // The value holds a password, so no message repeats it.
  if (smtp_url !== undefined && !/^smtps?:\/\/./.test(smtp_url)) {
    mistakes.push('SMTP_URL must start with smtp:// or smtps://');
  }
  if ((smtp_url === undefined) !== (from === undefined)) {
    mistakes.push('SMTP_URL and FOOTBRIDGE_HQ_MAIL_FROM belong together');
  }
  const config: Config = {
    database_url: url('DATABASE_URL') ?? secret('database-url', 'hq'),
    migration_database_url: url('MIGRATION_DATABASE_URL') ?? secret('database-url', 'owner'),
    data_dir: path.resolve(environment['FOOTBRIDGE_HQ_DATA_DIR'] ?? '.footbridge/hq'),
    log_level,
    mail: smtp_url === undefined || from === undefined ? null : { url: smtp_url, from },
    bucket: readBucket(environment, mistakes),
    journal: environment['JOURNAL_STREAM'],
    notify: {
      NOTIFY_SOCKET: environment['NOTIFY_SOCKET'],
      WATCHDOG_USEC: environment['WATCHDOG_USEC'],
    },
  };
  if (mistakes.length > 0) {
    throw new FootbridgeError('config_invalid', mistakes.join('; '), {
      hint: 'Correct the environment of the service (systemctl edit footbridge-hq).',
    });
  }
  return config;
}

/** By the names that every tool of S3 reads. */
function readBucket(environment: NodeJS.ProcessEnv, mistakes: string[]): BucketSettings | null {
  const access_key_id = environment['AWS_ACCESS_KEY_ID'];
  const secret_access_key = environment['AWS_SECRET_ACCESS_KEY'];
  const region = environment['AWS_REGION'] ?? 'us-east-1';
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] ?? `https://s3.${region}.amazonaws.com`;
  if (!/^https?:\/\/[^\s/?#@]+\/?$/.test(endpoint)) {
    mistakes.push('AWS_ENDPOINT_URL_S3 must be http:// or https:// and a host, without a path');
  }
  if ((access_key_id === undefined) !== (secret_access_key === undefined)) {
    mistakes.push('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together');
  }
  if (access_key_id === undefined || secret_access_key === undefined) return null;
  const session_token = environment['AWS_SESSION_TOKEN'];
  const place = { endpoint: endpoint.replace(/\/$/, ''), region };
  return { ...place, access_key_id, secret_access_key, session_token };
}

/** Of the service, and of the schema's owner, whom the service must not know. */
const secretFolders = {
  hq: '/etc/footbridge-hq/credentials',
  owner: '/etc/footbridge-hq/owner',
} as const;

/** What LoadCredential=hq:… of a unit put into a folder that only it reads, or the file itself. */
function credential(
  environment: NodeJS.ProcessEnv,
  installed: boolean,
  name: string,
  whose: keyof typeof secretFolders,
): string | undefined {
  const folder = environment['CREDENTIALS_DIRECTORY'];
  const own = installed ? path.join(secretFolders[whose], name) : undefined;
  const file = folder === undefined ? own : path.join(folder, `${whose}_${name}`);
  return file === undefined || !existsSync(file) ? undefined : readFileSync(file, 'utf8').trim();
}
