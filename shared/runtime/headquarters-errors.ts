/** The part of the error catalogue that people at headquarters meet, and programs that ask it. */
import type { CatalogueEntry } from './error-catalogue.ts';

export const headquartersErrors = {
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
  token_of_another_store: {
    message: 'The token is of another store than the readings that wait in this gateway.',
    hint: 'Take a token of the store where they were counted; the gateway can move once they are delivered.',
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
    hint: 'Come back after Retry-After seconds; readings are kept, and the gateway delivers them by itself.',
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
  archive_unreachable: {
    message: 'The bucket of the archive did not take or give a file.',
    hint: 'Nothing was dropped for it. Check AWS_ENDPOINT_URL_S3, AWS_REGION, the keys, and their right to list, read and write in the bucket.',
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
