/**
 * The gateway's settings. Everything has a default: a store whose sensors speak MQTT needs no file
 * at all. Checking reads nothing but the file and reports every mistake at once.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { filterFault } from '../sources/topic-filter.ts';
import { problemText, readYaml } from './yaml.ts';

/** HQ takes no longer one, and a gateway whose heartbeat it refuses delivers nothing. */
const name = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9-]*$/, { error: 'use lower-case words with "-"' });
const host = z.string().min(1);
const port = z.number().int().min(0).max(65_535);

const topicFilter = z
  .string()
  .min(1)
  .superRefine((filter, context) => {
    const fault = filterFault(filter);
    if (fault !== null) context.addIssue({ code: 'custom', message: fault });
  });

/** What LoadCredential= of the unit hands over, and where it has it from. */
const credentials_dir = '/etc/footbridge/credentials';

/**
 * Files, so that neither keys nor passwords stand in a configuration that is copied around.
 * `credential:NAME` is one that only root can read: systemd hands it to the service.
 */
const file = z
  .string()
  .min(1)
  .transform((path) => {
    const [, name] = /^credential:([\w.-]+)$/.exec(path) ?? [];
    if (name === undefined) return path;
    const handed = process.env['CREDENTIALS_DIRECTORY'];
    return handed === undefined ? join(credentials_dir, name) : join(handed, `footbridge_${name}`);
  });

const tlsOfListener = z.strictObject({
  cert_file: file,
  key_file: file,
  /** With it every device needs a certificate of this authority; its common name is its login. */
  client_ca_file: file.optional(),
});

const mqttListen = z.strictObject({
  name,
  kind: z.literal('mqtt-listen'),
  host: host.default('0.0.0.0'),
  port: port.default(1883),
  tls: tlsOfListener.optional(),
  /** Whether sensors without a login may publish; those with one are always asked for it. */
  allow_anonymous: z.boolean().default(true),
  /** Logins that several sensors share; a sensor's own is made by `sensor pair --login`. */
  users: z
    .array(
      z.strictObject({
        username: z.string().min(1).max(256),
        password_file: file,
        topics: z.array(topicFilter).min(1).default(['#']),
      }),
    )
    .default([]),
});

const httpListen = z.strictObject({
  name,
  kind: z.literal('http-listen'),
  host: host.default('0.0.0.0'),
  port: port.default(8088),
  tls: tlsOfListener.optional(),
  allow_anonymous: z.boolean().default(true),
  /** Where devices that share one path name themselves. */
  device_id: z
    .string()
    .regex(/^(query|header):[\w.-]+$/, { error: 'use query:NAME or header:NAME' })
    .optional(),
});

const mqttConnect = z.strictObject({
  name,
  kind: z.literal('mqtt-connect'),
  url: z.string().regex(/^(mqtts?|wss?):\/\/\S+$/, {
    error: 'use mqtt://host:port, mqtts://…, ws://… or wss://…',
  }),
  topics: z.array(topicFilter).min(1).default(['#']),
  client_id: z.string().min(1).max(256).optional(),
  username: z.string().optional(),
  password_file: file.optional(),
  tls: z
    .strictObject({
      /** Authority of the broker's certificate, where it is not a public one. */
      ca_file: file.optional(),
      cert_file: file.optional(),
      key_file: file.optional(),
    })
    .optional(),
  /** Where the gateway says, retained, `online` and, as its last will, `offline`. */
  status_topic: z
    .string()
    .regex(/^[^+#$][^+#]*$/, { error: 'use one topic, without + and #' })
    .optional(),
});

const modbusTcp = z.strictObject({
  name,
  kind: z.literal('modbus-tcp'),
  host,
  port: port.default(502),
});

const stablePath = z
  .string()
  .startsWith('/', { error: 'use the stable path below /dev/serial/by-id' });

/** Every unit of a line speaks like this; the factory setting of most is 9600 8N1. */
const modbusRtu = z.strictObject({
  name,
  kind: z.literal('modbus-rtu'),
  path: stablePath,
  baud: z.number().int().min(300).max(1_000_000).default(9600),
  parity: z.enum(['none', 'even', 'odd']).default('none'),
  stop_bits: z.literal([1, 2]).default(1),
});

/** A converter that carries the line as it is, without Modbus TCP's header. */
const modbusRtuTcp = z.strictObject({ name, kind: z.literal('modbus-rtu-tcp'), host, port });

const serial = z.strictObject({ name, kind: z.literal('serial'), path: stablePath });

const sourceSchema = z.discriminatedUnion('kind', [
  mqttListen,
  mqttConnect,
  httpListen,
  modbusTcp,
  modbusRtu,
  modbusRtuTcp,
  serial,
]);
export type SourceConfig = z.infer<typeof sourceSchema>;

/** The line to HQ. Its address came with the enrolment. */
const hqSchema = z.strictObject({
  proxy: z
    .strictObject({
      url: z
        .string()
        .regex(/^http:\/\/[^\s@]+$/, { error: 'use http://host:port, without a login' }),
      username: z.string().min(1).optional(),
      password_file: file.optional(),
    })
    .optional(),
  ca_file: file.optional(),
  cert_file: file.optional(),
  key_file: file.optional(),
  /** What `enroll` wrote, where root keeps it and systemd hands it over, read-only. */
  credential_file: file.optional(),
  /** For a line that others need too, or that costs by the byte. 2G carries about 5,000. */
  upload_bytes_per_s: z.number().int().min(100).optional(),
});

/** The small page that the store looks at: counts now, sensors, delivery. Read-only. */
const page = z
  .strictObject({
    enabled: z.boolean().default(true),
    host: host.default('127.0.0.1'),
    port: port.default(8390),
    /** A file with 4 to 64 characters that the page asks for once. Needed beyond this machine. */
    pin_file: file.optional(),
  })
  .superRefine(({ host: on, pin_file }, context) => {
    const isLoopback = on === 'localhost' || on === '::1' || on.startsWith('127.');
    if (isLoopback || pin_file !== undefined) return;
    const message = 'is needed where others than this machine can open the page';
    context.addIssue({ code: 'custom', path: ['pin_file'], message });
  });
export type PageConfig = z.infer<typeof page>;

/** What a gateway has whose configuration names no source. */
export const defaultSources = [{ name: 'sensors', kind: 'mqtt-listen' }] as const;

export const configSchema = z.strictObject({
  data_dir: z.string().min(1).default('/var/lib/footbridge'),
  /** Folder with the site's own profiles. */
  profiles_dir: z.string().default('/etc/footbridge/profiles'),
  log_level: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  buffer: z
    .strictObject({
      /** `eco`: a commit every 5 s, for SD cards; a message is acknowledged that much later. */
      commit: z.enum(['prompt', 'eco']).default('prompt'),
      /** MiB; the default is half of the disk, 4096 at most: 50 million readings. */
      quota_mb: z.number().int().min(64).max(1_000_000).optional(),
      /** Delivered readings that stay for diagnosis, newest first; near the quota 100,000 do. */
      keep_delivered: z.number().int().min(100_000).max(100_000_000).default(100_000),
    })
    .prefault({}),
  /** How often a polled counter becomes a reading; boundaries lie on multiples of it. */
  report_interval_s: z
    .number()
    .int()
    .min(1)
    .max(900)
    .refine((seconds) => 900 % seconds === 0, {
      error: 'does not divide a quarter hour; use for example 30, 60 or 300',
    })
    .default(60),
  /** HQ calls a gateway offline after 180 s without one. */
  heartbeat_interval_s: z.number().int().min(1).max(60).default(60),
  send_interval_s: z.number().min(0.1).max(600).default(5),
  /** Longest pause between tries of the backlog while HQ is away; the present tries each minute. */
  retry_max_s: z.number().min(1).max(3600).default(900),
  hq: hqSchema.default({}),
  page: page.prefault({}),
  sources: z
    .array(sourceSchema)
    .min(1)
    .max(100)
    .default(defaultSources.map((source) => mqttListen.parse(source)))
    .superRefine((sources, context) => {
      sources.forEach((source, i) => {
        const twin = sources.findIndex((other) => other.name === source.name);
        if (twin < i) {
          const message = `repeats the name of source ${twin + 1}; give each its own`;
          context.addIssue({ code: 'custom', path: [i, 'name'], message });
        }
      });
    }),
});
export type Config = z.infer<typeof configSchema>;

export const default_config_path = '/etc/footbridge/footbridge.yaml';

/**
 * @param path the file that the person named, or undefined for the default one, which may be absent.
 * @throws FootbridgeError config_invalid with every mistake and its line.
 */
export function readConfig(path: string | undefined, overrides: { data_dir?: string }): Config {
  const file = path ?? default_config_path;
  const present = existsSync(file);
  if (!present && path !== undefined) {
    throw new FootbridgeError('config_invalid', `${path} does not exist`, {
      hint: 'Name an existing file with --config, or leave it out to run with the defaults.',
    });
  }
  const checked = readYaml(present ? readFileSync(file, 'utf8') : '', configSchema);
  if (!checked.ok) throw new FootbridgeError('config_invalid', problemText(file, checked.problems));
  return { ...checked.value, ...overrides };
}

/** The files below data_dir. */
export function dataFiles(config: Pick<Config, 'data_dir'>) {
  return {
    buffer: join(config.data_dir, 'buffer.sqlite'),
    credential: join(config.data_dir, 'credential.json'),
    sensors: join(config.data_dir, 'sensors.json'),
    commissioning: join(config.data_dir, 'commissioning'),
    runs: join(config.data_dir, 'runs.json'),
    names: join(config.data_dir, 'names.json'),
    subscriptions: join(config.data_dir, 'subscriptions.json'),
    socket: join(config.data_dir, 'footbridge.sock'),
  };
}
