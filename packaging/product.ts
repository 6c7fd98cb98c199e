/** The two packages: what is in each, and what Debian has to bring along. */

export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

export interface Product {
  readonly name: 'footbridge' | 'footbridge-hq';
  readonly summary: string;
  readonly description: readonly string[];
  /** Folders of dist/ that run, the first with the entry file. */
  readonly code: readonly string[];
  /** Entry file below the program's folder. */
  readonly entry: string;
  /** Folders and files that are read at run time. */
  readonly data: readonly string[];
  /** Whether it has native parts. */
  readonly native: boolean;
  readonly depends: readonly string[];
  readonly recommends: readonly string[];
  /** From the folder systemd/ to where Debian has them. */
  readonly system_files: Readonly<Record<string, string>>;
  /** What `purge` removes. */
  readonly purged: readonly string[];
}

export const products: readonly Product[] = [
  {
    name: 'footbridge',
    summary: 'count footfall in a store and deliver it to headquarters',
    description: [
      'Reads people counters and zone sensors over MQTT, HTTP, serial lines and',
      'Modbus, keeps every count on disk until headquarters has it, and delivers',
      'it exactly once.',
    ],
    code: ['gateway', 'shared'],
    entry: 'dist/gateway/cli/footbridge.js',
    data: ['gateway/profiles/built-in', 'gateway/local/page'],
    native: true,
    depends: ['systemd | systemd-standalone-sysusers'],
    recommends: ['udev'],
    system_files: {
      'footbridge.service': 'lib/systemd/system/footbridge.service',
      'footbridge.sysusers': 'lib/sysusers.d/footbridge.conf',
      'footbridge.tmpfiles': 'lib/tmpfiles.d/footbridge.conf',
      '60-footbridge.rules': 'lib/udev/rules.d/60-footbridge.rules',
      'mosquitto-footbridge.conf': 'share/footbridge/mosquitto-footbridge.conf',
    },
    purged: ['/var/lib/footbridge', '/etc/footbridge'],
  },
  {
    name: 'footbridge-hq',
    summary: 'headquarters of Footbridge: hours and days of every store',
    description: [
      'Takes the counts of many gateways into PostgreSQL, keeps hours and days in',
      'the time of each store, watches gateways and sensors, and lets each person',
      'see just their stores.',
    ],
    code: ['cloud-sync', 'shared'],
    entry: 'dist/cloud-sync/cli/footbridge-hq.js',
    data: ['migrations'],
    native: false,
    depends: [],
    recommends: ['postgresql'],
    system_files: {
      'footbridge-hq.service': 'lib/systemd/system/footbridge-hq.service',
      'footbridge-hq-backup.service': 'lib/systemd/system/footbridge-hq-backup.service',
      'footbridge-hq-backup.timer': 'lib/systemd/system/footbridge-hq-backup.timer',
      'footbridge-hq-retention.service': 'lib/systemd/system/footbridge-hq-retention.service',
      'footbridge-hq-retention.timer': 'lib/systemd/system/footbridge-hq-retention.timer',
      'footbridge-hq.tmpfiles': 'lib/tmpfiles.d/footbridge-hq.conf',
    },
    purged: [
      '/var/lib/private/footbridge-hq',
      '/var/lib/footbridge-hq',
      '/etc/footbridge-hq',
      '/etc/systemd/system/timers.target.wants/footbridge-hq-*.timer',
      '/var/lib/systemd/timers/stamp-footbridge-hq-*.timer',
    ],
  },
];
