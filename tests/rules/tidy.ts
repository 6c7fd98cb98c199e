/**
 * The rules of the house that the compiler does not hold. A rule is a function from a file to what
 * is wrong with it, so that a planted violation can prove that the rule bites.
 */
import { posix } from 'node:path';
import type { SourceFile } from './sources.ts';

type Rule = (file: SourceFile) => string[];

/** Where each npm package lives. A second home would be a second way in. */
const homes: Record<string, readonly string[]> = {
  '@jitl/quickjs-wasmfile-release-sync': ['gateway/profiles/script-engine.ts'],
  aws4fetch: ['cloud-sync/retention/bucket.ts'],
  aedes: ['demo/broker.ts'],
  'mqtt-packet': ['gateway/sources/mqtt-device.ts'],
  'better-sqlite3': ['gateway/buffer/'],
  commander: ['gateway/cli/', 'cloud-sync/cli/', 'demo/demo.ts'],
  fastify: ['cloud-sync/http/', 'gateway/local/page-server.ts'],
  'modbus-serial': ['gateway/sources/modbus-tcp.ts', 'demo/modbus-sensor.ts'],
  mqtt: ['gateway/sources/mqtt-connect.ts', 'demo/publisher.ts'],
  nodemailer: ['cloud-sync/notify/email.ts'],
  'node-cron': ['cloud-sync/rollups/calendar-job.ts'],
  'node-pg-migrate': ['cloud-sync/db/'],
  'node-pty': ['demo/pseudo-terminal.ts'],
  pg: ['cloud-sync/db/'],
  pino: ['shared/runtime/log.ts'],
  'quickjs-emscripten-core': ['gateway/profiles/script-engine.ts'],
  serialport: ['gateway/sources/serial-port.ts'],
  yaml: ['gateway/config/yaml.ts'],
  zod: ['gateway/', 'cloud-sync/', 'shared/wire/'],
};

/** Code that only decides: no I/O, no clock, no package but zod. */
const decides = [
  'shared/wire/',
  'shared/runtime/prometheus.ts',
  'gateway/meters/',
  'gateway/profiles/codecs/',
  'gateway/profiles/codec-schema.ts',
  'gateway/profiles/decode.ts',
  'gateway/profiles/envelope.ts',
  'gateway/profiles/iso-time.ts',
  'gateway/profiles/mapping-schema.ts',
  'gateway/profiles/measure.ts',
  'gateway/profiles/messages.ts',
  'gateway/profiles/path.ts',
  'gateway/profiles/presence.ts',
  'gateway/profiles/profile.ts',
  'gateway/profiles/read-records.ts',
  'gateway/profiles/slug.ts',
  'gateway/profiles/sparkplug-nodes.ts',
  'gateway/profiles/sparkplug-topic.ts',
  'gateway/profiles/time.ts',
  'gateway/profiles/withheld.ts',
  'gateway/profiles/zone-offset.ts',
  'gateway/sources/framer.ts',
  'gateway/sources/framing.ts',
  'gateway/sources/checksum.ts',
  'gateway/sources/frame-encoding.ts',
  'gateway/sources/modbus-blocks.ts',
  'gateway/sources/modbus-rtu-frame.ts',
  'gateway/buffer/coalesce.ts',
  'gateway/buffer/commit-pace.ts',
  'gateway/buffer/range.ts',
  'gateway/buffer/sum-parts.ts',
  'gateway/sources/mqtt-packets.ts',
  'gateway/sources/ordered-acks.ts',
  'gateway/sources/poll-schedule.ts',
  'gateway/sources/topic-filter.ts',
  'gateway/sync/outcome.ts',
  'gateway/local/gateway-metrics.ts',
  'gateway/local/page-state.ts',
  'gateway/pairing/commissioning.ts',
  'gateway/pairing/housekeeping-topics.ts',
  'gateway/doctor/diagnose.ts',
  'gateway/doctor/diagnose-delivery.ts',
  'gateway/doctor/diagnose-machine.ts',
  'gateway/doctor/diagnose-sensors.ts',
  'gateway/doctor/diagnose-sources.ts',
  'gateway/doctor/likeness.ts',
  'gateway/doctor/network-cause.ts',
  'gateway/doctor/shared-lines.ts',
  'gateway/pairing/address-range.ts',
  'gateway/pairing/polling.ts',
  'gateway/pairing/recognise.ts',
  'gateway/pairing/strangers.ts',
  'cloud-sync/health/alert-rules.ts',
  'cloud-sync/health/alert-states.ts',
  'cloud-sync/health/alert-types.ts',
  'cloud-sync/health/count-rules.ts',
  'cloud-sync/health/day-rules.ts',
  'cloud-sync/health/expected-traffic.ts',
  'cloud-sync/health/gateway-rules.ts',
  'cloud-sync/health/verdicts.ts',
  'cloud-sync/notify/compose-message.ts',
  'cloud-sync/notify/plan-notifications.ts',
  'demo/verdict.ts',
];

/** Who may import what within a service. Left out: everything of its own service and shared. */
const rooms: Record<string, readonly string[]> = {
  'shared/wire/': ['shared/wire/'],
  'shared/findings/': ['shared/findings/', 'shared/runtime/'],
  'shared/runtime/': ['shared/runtime/', 'shared/wire/error-body.ts'],
  'gateway/sources/': ['gateway/sources/', 'gateway/config/config.ts', 'shared/'],
  'gateway/profiles/': [
    'gateway/profiles/',
    'gateway/config/yaml.ts',
    'gateway/sources/framing.ts',
    'shared/',
  ],
  'gateway/meters/': [
    'gateway/meters/',
    'gateway/profiles/measure.ts',
    'gateway/profiles/zone-offset.ts',
    'shared/wire/',
  ],
  'gateway/buffer/': [
    'gateway/buffer/',
    'gateway/meters/meter.ts',
    'gateway/meters/message-key.ts',
    'gateway/meters/remainder.ts',
    'shared/',
  ],
  'gateway/sync/': ['gateway/sync/', 'gateway/buffer/', 'shared/'],
  'cloud-sync/db/': ['cloud-sync/db/', 'shared/'],
};

const entries = [
  'gateway/cli/footbridge.ts',
  'cloud-sync/cli/footbridge-hq.ts',
  'demo/demo.ts',
  'demo/broker.ts',
  'demo/store-simulator.ts',
];

const lines_max = 300;

function isIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place));
}

/** Module names of `import … from`, `export … from` and `import(…)`; types only count too. */
function imports(text: string): { name: string; typeOnly: boolean }[] {
  const found = text.matchAll(/(?:^|\n)(import|export)( type)?\b[^;'"]*?from\s+['"]([^'"]+)['"]/g);
  const dynamic = text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g);
  return [
    ...[...found].map((match) => ({ name: match[3] ?? '', typeOnly: match[2] !== undefined })),
    ...[...dynamic].map((match) => ({ name: match[1] ?? '', typeOnly: false })),
  ];
}

function packageName(module: string): string {
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/');
}

const packagesAtHome: Rule = ({ path, text }) =>
  imports(text)
    .map(({ name }) => name)
    .filter((name) => !name.startsWith('.') && !name.startsWith('node:'))
    .map(packageName)
    .filter((name) => !isIn(path, homes[name] ?? []))
    .map((name) => `imports ${name}, whose home is ${homes[name]?.join(', ') ?? 'nowhere'}`);

const decidesOnly: Rule = ({ path, text }) =>
  !isIn(path, decides)
    ? []
    : imports(text)
        .filter(({ name, typeOnly }) => !typeOnly && name !== 'zod' && !name.startsWith('.'))
        .map(({ name }) => `only decides, so it may not import ${name}`);

const doors: Rule = ({ path, text }) => {
  const room = Object.keys(rooms).find((each) => path.startsWith(each));
  if (room === undefined) return [];
  return imports(text)
    .filter(({ name }) => name.startsWith('.'))
    .map(({ name }) => posix.join(posix.dirname(path), name))
    .filter((target) => !isIn(target, rooms[room] ?? []))
    .map((target) => `is in ${room} and may not import ${target}`);
};

const clocksInOnePlace: Rule = ({ path, text }) => {
  if (path === 'shared/runtime/clock.ts') return [];
  const calls = /\b(Date\.now|Math\.random|setTimeout|setInterval|setImmediate)\(|new Date\(\)/g;
  return [...text.matchAll(calls)]
    .filter((match) => text[(match.index ?? 0) - 1] !== '.')
    .map((match) => `calls ${match[0]}; take the Clock of shared/runtime/clock.ts`);
};

const environmentInConfig: Rule = ({ path, text }) =>
  isIn(path, [...entries, 'cloud-sync/config.ts', 'gateway/config/config.ts']) ||
  !text.includes('process.env')
    ? []
    : ['reads process.env; only configuration and entry files do'];

const exitInEntries: Rule = ({ path, text }) =>
  isIn(path, entries) || !text.includes('process.exit(')
    ? []
    : ['calls process.exit; only entry files do'];

const shortFiles: Rule = ({ text }) => {
  const lines = text.split('\n').length - 1;
  return lines <= lines_max ? [] : [`has ${lines} lines; split it before ${lines_max}`];
};

const saysWhatItIs: Rule = ({ text }) =>
  /^(#!.*\n)?\/\*\*/.test(text) ? [] : ['does not open with a sentence of purpose'];

/** What is wrong with a product file. */
export function violations(file: SourceFile): string[] {
  const rules = [
    packagesAtHome,
    decidesOnly,
    doors,
    clocksInOnePlace,
    environmentInConfig,
    exitInEntries,
    shortFiles,
    saysWhatItIs,
  ];
  return rules.flatMap((rule) => rule(file)).map((text) => `${file.path} ${text}`);
}

/** What is wrong with the length of any file, also of tests, benches and packaging. */
export function overlong(file: SourceFile): string[] {
  return shortFiles(file).map((text) => `${file.path} ${text}`);
}
