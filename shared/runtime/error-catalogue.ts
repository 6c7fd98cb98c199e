/**
 * Every error that a person can meet, in one table: what it means and what to do next. The table
 * is the documentation; a test keeps docs/errors.md in step with it.
 */

export interface CatalogueEntry {
  readonly message: string;
  readonly hint: string;
  /** HTTP status when HQ answers a request with this error. */
  readonly status?: number;
}

export const errorCatalogue = {
  // Both sides
  config_invalid: {
    message: 'The configuration has mistakes.',
    hint: 'Correct the lines named above; `footbridge check-config` checks again without starting.',
  },
  usage: {
    message: 'The command was not understood.',
    hint: 'See --help for the arguments and an example.',
  },
  internal: {
    message: 'Something failed that should not fail.',
    hint: 'The log has the cause under this code; please report it.',
    status: 500,
  },

  // Gateway
  buffer_not_durable: {
    message: 'The buffer cannot promise that committed readings survive a power cut.',
    hint: 'Put data_dir on a local disk; network and memory file systems do not keep the promise.',
  },
  buffer_write_failed: {
    message: 'The buffer could not be written; sensors are not acknowledged meanwhile.',
    hint: 'Free disk space or replace the disk. Counting resumes by itself; nothing is dropped.',
  },
  buffer_damaged: {
    message: 'The buffer file was damaged and has been set aside; counting goes on in a new one.',
    hint: 'Keep the file named above: what it holds and HQ lacks can be read with `sqlite3`. Check the disk.',
  },
  reading_not_storable: {
    message: 'A reading has a value that no table takes.',
    hint: 'See `footbridge buffer quarantine`; the profile reads something else than a count.',
  },
  buffer_newer: {
    message: 'The buffer was written by a newer Footbridge.',
    hint: 'Install that version again, or move the buffer file aside after its readings are delivered.',
  },
  source_unavailable: {
    message: 'A source cannot be reached.',
    hint: 'Check cable, address and power; the source retries by itself and the others run on.',
  },
  already_running: {
    message: 'Another gateway process uses this data directory.',
    hint: 'Stop it first (`systemctl stop footbridge`), or choose another data_dir.',
  },
  not_running: {
    message: 'The gateway daemon does not answer.',
    hint: 'Start it with `footbridge run` or `systemctl start footbridge`.',
  },
  not_permitted: {
    message: 'This account may not speak to the gateway daemon.',
    hint: 'Use an account of the group that owns the socket, or sudo.',
  },
  not_enrolled: {
    message: 'This gateway has no credential for HQ.',
    hint: 'Ask HQ for a token (`footbridge-hq gateway invite`) and run `footbridge enroll`.',
  },
  already_enrolled: {
    message: 'This gateway is enrolled already.',
    hint: 'To move it to another store, enroll again with --force; buffered readings stay with the old store until they are delivered.',
  },
  hq_unreachable: {
    message: 'HQ cannot be reached.',
    hint: 'Check the address, DNS and the store’s internet line. Readings are kept until it answers.',
  },
  hq_answer_invalid: {
    message: 'The answer did not come from a Footbridge HQ.',
    hint: 'Check the address given with --hq; a proxy or a login page may be answering instead.',
  },
  profile_unknown: {
    message: 'There is no profile of this name.',
    hint: 'See `footbridge profile list`.',
  },
  profile_invalid: {
    message: 'A profile has mistakes.',
    hint: 'Correct the fields named above.',
  },
  source_unknown: {
    message: 'The configuration has no source of this name.',
    hint: 'See `footbridge status` for the sources, or add it under `sources`.',
  },
  sensor_invalid: {
    message: 'The sensor cannot be paired like this.',
    hint: 'Correct the option named above.',
  },
  sensor_conflict: {
    message: 'Another sensor is paired with this address.',
    hint: 'Unpair it first, or choose another address.',
  },
  sensor_unknown: {
    message: 'No sensor of this name is paired.',
    hint: 'See `footbridge sensor list`.',
  },

  // HQ, to programs and BI tools that read it, and those who let them
  key_missing: {
    message: 'The request carries no API key.',
    hint: 'Send `Authorization: Bearer fbk_…`; `footbridge-hq key create` prints one.',
    status: 401,
  },
  key_refused: {
    message: 'The API key is unknown, expired or revoked.',
    hint: 'See `footbridge-hq key list`, or create another with `footbridge-hq key create`.',
    status: 401,
  },
  scope_missing: {
    message: 'The API key may not be used for this.',
    hint: 'Create a key with the scope named above.',
    status: 403,
  },
  query_invalid: {
    message: 'A parameter of the address is missing, unknown or out of range.',
    hint: 'Correct the parameter named above.',
    status: 400,
  },
  key_unknown: {
    message: 'The organization has no API key of this id.',
    hint: 'See `footbridge-hq key list`.',
  },
  login_unknown: {
    message: 'The organization has no BI login of this name.',
    hint: 'See `footbridge-hq bi list`.',
  },

  // HQ, backups
  backup_failed: {
    message: 'The backup or restore did not succeed.',
    hint: 'pg_dump and pg_restore of the server’s version or newer must be installed (Debian: postgresql-client), and MIGRATION_DATABASE_URL must be a superuser or have BYPASSRLS.',
  },
  backup_damaged: {
    message: 'A file of the backup is not as it was written.',
    hint: 'Restore the backup before it; nothing was put in place.',
  },
  backup_target_taken: {
    message: 'A restore goes where nothing is yet.',
    hint: 'Name another --data-dir, or an empty database.',
  },

  // HQ, answered to gateways
  credential_missing: {
    message: 'The request carries no gateway credential.',
    hint: 'Send `Authorization: Bearer fbg_…`; `footbridge enroll` creates it.',
    status: 401,
  },
  credential_refused: {
    message: 'The gateway credential is unknown or revoked.',
    hint: 'Invite the gateway again at HQ and run `footbridge enroll`; buffered readings are kept.',
    status: 401,
  },
  token_unknown: {
    message: 'HQ does not know this enrolment token.',
    hint: 'Copy the whole token; if that is right, create a new one with `footbridge-hq gateway invite`.',
    status: 403,
  },
  token_used: {
    message: 'This enrolment token was used already.',
    hint: 'A token enrols one gateway. Create another with `footbridge-hq gateway invite`.',
    status: 403,
  },
  token_expired: {
    message: 'This enrolment token has expired.',
    hint: 'Create another with `footbridge-hq gateway invite`.',
    status: 403,
  },
  body_malformed: {
    message: 'The body is not what this address takes.',
    hint: 'Send the documented JSON; gateways of the same version do.',
    status: 400,
  },
  body_too_large: {
    message: 'The body is larger than this address takes.',
    hint: 'Send fewer rows in one request.',
    status: 413,
  },
  encoding_unsupported: {
    message: 'The content encoding is not supported.',
    hint: 'Send JSON as it is or with Content-Encoding: gzip.',
    status: 415,
  },
  batch_invalid: {
    message: 'The batch breaks the contract.',
    hint: 'The gateway splits it until the offending reading stands alone, and quarantines that.',
    status: 422,
  },
  batch_conflict: {
    message: 'HQ answered a batch of this id before, and it had another content.',
    hint: 'The gateway gives the readings a new batch; should this repeat, run `footbridge doctor`.',
    status: 422,
  },
  batch_in_flight: {
    message: 'The same batch is being stored at this moment.',
    hint: 'Nothing to do: the gateway asks again and gets the answer.',
    status: 409,
  },
  overloaded: {
    message: 'HQ has as much to do as it takes on.',
    hint: 'Nothing to do: readings are kept, and the gateway comes back when HQ asks it to.',
    status: 429,
  },
  database_unavailable: {
    message: 'The database cannot be reached.',
    hint: 'Check DATABASE_URL and the server; requests are answered again when it is back.',
    status: 503,
  },
  route_unknown: {
    message: 'There is nothing at this address.',
    hint: 'See the HTTP section of README.md.',
    status: 404,
  },

  // HQ, on the command line
  schema_newer: {
    message: 'The database schema is newer than this program.',
    hint: 'Upgrade Footbridge, or roll the schema back with the version that applied it.',
  },
  schema_older: {
    message: 'The database schema is older than this program.',
    hint: 'Run `footbridge-hq migrate up`.',
  },
  migration_failed: {
    message: 'A migration failed; the schema is as it was before it.',
    hint: 'Correct the cause named above and run `footbridge-hq migrate up` again.',
  },
  postgres_unsupported: {
    message: 'This PostgreSQL version cannot hold the tenant wall.',
    hint: 'Use PostgreSQL 15.14, 16.10, 17.6 or 18 or newer: older ones have known row-security holes.',
  },
  embedded_failed: {
    message: 'The embedded PostgreSQL did not start.',
    hint: 'postgres.log in the data directory has the cause; DATABASE_URL selects another server instead.',
  },
  organization_unknown: {
    message: 'There is no organization with this slug.',
    hint: 'See `footbridge-hq org list`.',
  },
  store_unknown: {
    message: 'There is no store with this code in the organization.',
    hint: 'See `footbridge-hq store list`.',
    status: 404,
  },
  archive_damaged: {
    message: 'A file of the archive is not as it was written.',
    hint: 'Nothing was dropped for it. Take the directory from a backup of the archive.',
  },
  region_unknown: {
    message: 'There is no region with this code in the organization.',
    hint: 'See `footbridge-hq region list`.',
  },
  user_unknown: {
    message: 'There is no user with this e-mail address in the organization.',
    hint: 'Add the person with `footbridge-hq user add`.',
  },
  gateway_unknown: {
    message: 'There is no such gateway.',
    hint: 'See `footbridge-hq gateway list`.',
  },
  alert_unknown: {
    message: 'There is no such alert among those that this person may see.',
    hint: 'See `footbridge-hq alert list` for the ids.',
  },
  mail_not_configured: {
    message: 'No mail server is named.',
    hint: 'Set SMTP_URL and FOOTBRIDGE_HQ_MAIL_FROM for the service, and try `footbridge-hq notify test`.',
  },
  route_gone: {
    message: 'There is no such way of being told.',
    hint: 'See `footbridge-hq notify list`.',
  },
  role_insufficient: {
    message: 'The role of this person does not allow it.',
    hint: 'Ask somebody who manages the store; `footbridge-hq user add` changes roles.',
  },
  already_exists: {
    message: 'It exists already.',
    hint: 'Choose another name, or use the existing one.',
  },
  timezone_unknown: {
    message: 'The time zone is not an IANA zone that PostgreSQL knows.',
    hint: 'Use a name such as Europe/Madrid or Asia/Kolkata.',
  },
  value_invalid: {
    message: 'A value is not allowed here.',
    hint: 'Correct the value named above.',
  },
} as const satisfies Record<string, CatalogueEntry>;
