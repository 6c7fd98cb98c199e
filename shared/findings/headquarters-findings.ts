/** What can be wrong at HQ. */
import type { CatalogueEntry } from './catalogue-entry.ts';

export const headquartersFindings = {
  // HQ
  postgres_old: {
    symptom: 'hq',
    cause: 'This PostgreSQL has known holes in row security.',
    todo: 'Use PostgreSQL 15.14, 16.10, 17.6 or 18 or newer.',
  },
  login_strong: {
    symptom: 'hq',
    cause: 'The login of the service could step around row security.',
    todo: 'Name the login cloud_sync in DATABASE_URL; `footbridge-hq serve` refuses this one.',
  },
  schema_apart: {
    symptom: 'hq',
    cause: 'The schema and the program are of different versions.',
    todo: 'Run `footbridge-hq migrate up`.',
  },
  clocks_apart: {
    symptom: 'hq',
    cause: 'The clocks of HQ and of its database differ.',
    todo: 'Run a time service (chrony, systemd-timesyncd) on both machines.',
  },
  row_security_open: {
    symptom: 'hq',
    cause: 'Row security is not forced on every table.',
    todo: 'As their owner: ALTER TABLE … ENABLE, then FORCE ROW LEVEL SECURITY.',
  },
  rights_changed: {
    symptom: 'hq',
    cause: 'Owners, grants, views or functions are not as the migrations left them.',
    todo: 'Somebody changed them by hand: take it back as their owner, see docs/schema.txt.',
  },
  archive_overdue: {
    symptom: 'hq',
    cause: 'Raw months wait for the archive.',
    todo: 'Run `footbridge-hq retention run --archive DIR` each night.',
  },
  partition_missing: {
    symptom: 'hq',
    cause: 'The next month has no partition.',
    todo: 'Start `footbridge-hq serve`: it creates them at start and every night.',
  },
  backup_missing: {
    symptom: 'hq',
    cause: 'The last backup is too old, or there is none.',
    todo: 'Run `footbridge-hq backup run --to DIR` each night (systemd/footbridge-hq-backup.timer).',
  },
  connections_short: {
    symptom: 'hq',
    cause: 'The database has too few connections left for HQ and its commands.',
    todo: 'Raise max_connections, or end what holds them.',
  },
} as const satisfies Record<string, CatalogueEntry>;
