/** Every error that a person can meet, and what to do next; a test keeps docs/errors.md in step. */

import { headquartersErrors } from './headquarters-errors.ts';

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
  buffer_quota: {
    message: 'The buffer has reached its quota; sensors are not acknowledged meanwhile.',
    hint: 'Bring the line to headquarters back, or raise buffer.quota_mb. Counting resumes by itself.',
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
    message: 'The buffer was written by a newer Footbridge, and the way back does not stand in it.',
    hint: 'Install that version again, or move the buffer file aside after its readings are delivered.',
  },
  source_unavailable: {
    message: 'A source cannot be reached.',
    hint: 'Check cable, address and power; the source retries by itself and the others run on.',
  },
  not_answering: {
    message: 'The gateway runs and does not answer.',
    hint: 'See `footbridge doctor`; `systemctl restart footbridge` when it stays so.',
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
    hint: 'With --force it enrols again, in another store too once its readings are delivered; while they wait, in its own store only.',
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
  configuration_invalid: {
    message: 'The names of sensors and zones cannot be used.',
    hint: 'Correct the file, and set it again with `footbridge-hq gateway configure`.',
  },
  source_exists: {
    message: 'The configuration has a source of this name.',
    hint: 'Give the new one another name, or change the old one in the file.',
  },
  line_owned: {
    message: 'A source has this serial line.',
    hint: 'A Modbus line is asked with `footbridge sensor discover --bus SOURCE`; of any other, unpair the sensors first.',
  },
  import_refused: {
    message: 'Nothing was imported: not all sensors of the file can be paired here.',
    hint: 'Correct the file, or unpair what stands in the way; then import it again.',
  },
  sensor_unknown: {
    message: 'No sensor of this name is paired.',
    hint: 'See `footbridge sensor list`.',
  },

  ...headquartersErrors,
} as const satisfies Record<string, CatalogueEntry>;
