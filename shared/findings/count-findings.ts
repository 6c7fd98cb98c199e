/** What can be wrong with the counts, and on their way to HQ. */
import type { CatalogueEntry } from './catalogue-entry.ts';

export const countFindings = {
  // Wrong counts
  values_leap: {
    symptom: 'wrong',
    cause:
      'The total leaps as no crowd can: word order, register or width of the profile are wrong.',
    todo: 'Compare with the display of the device; then pair with the profile of the other word order.',
  },
  accounts_differ: {
    symptom: 'wrong',
    cause: 'The device keeps two accounts of the same people, and they differ.',
    todo: 'Messages are lost on the way, or the profile reads another line; see the log.',
    result: 'warning',
  },
  device_clock: {
    symptom: 'wrong',
    cause: 'The device’s clock is wrong; the time of arrival was used instead.',
    todo: 'Set the time in the device, best by NTP from this machine.',
    result: 'warning',
  },
  clock_not_set: {
    symptom: 'wrong',
    cause: 'The clock of this machine is not set; what is counted waits on disk until it is.',
    todo: 'Let it reach a time server: `timedatectl set-ntp true`, then `timedatectl`.',
  },
  clock_wrong: {
    symptom: 'wrong',
    cause: 'The clock of this machine differs from HQ’s.',
    todo: 'Set the clock: `timedatectl set-ntp true`, then `timedatectl`.',
  },
  zone_differs: {
    symptom: 'wrong',
    cause: 'HQ has another time zone for this store than this machine: hours go by HQ’s.',
    todo: 'Correct whichever is wrong: `timedatectl set-timezone`, or the store at HQ.',
    result: 'warning',
  },
  quarantined: {
    symptom: 'wrong',
    cause: 'Messages arrived that could not be used.',
    todo: 'See `footbridge buffer quarantine` for the bytes and the reason of each.',
    result: 'warning',
  },

  // Delivery
  not_enrolled: {
    symptom: 'delivery',
    cause: 'The gateway has not been enrolled at HQ; it counts and keeps.',
    todo: 'Ask HQ for a token (`footbridge-hq gateway invite`) and run `footbridge enroll`.',
  },
  credential_broken: {
    symptom: 'delivery',
    cause: 'The credential file cannot be used.',
    todo: 'Enrol again: `footbridge enroll --force`. Readings are kept.',
  },
  credential_revoked: {
    symptom: 'delivery',
    cause: 'HQ does not accept this gateway any more: its credential is unknown or revoked.',
    todo: 'Invite it again at HQ and run `footbridge enroll --force`; readings are kept.',
  },
  hq_unknown: {
    symptom: 'delivery',
    cause: 'The name of HQ has no address (DNS).',
    todo: 'Check the DNS server of this machine and the name; readings are kept.',
  },
  hq_refuses: {
    symptom: 'delivery',
    cause: 'The machine of HQ is there, and nothing listens on the port.',
    todo: 'HQ’s service or its proxy is down: tell headquarters. Readings are kept.',
  },
  hq_away: {
    symptom: 'delivery',
    cause: 'HQ cannot be reached.',
    todo: 'Check the store’s internet line and firewall. Readings are kept until HQ answers.',
  },
  hq_failing: {
    symptom: 'delivery',
    cause: 'HQ was reached and has a fault of its own.',
    todo: 'Its log has the cause: tell headquarters. Readings are kept until it answers.',
  },
  proxy_between: {
    symptom: 'delivery',
    cause: 'A proxy of this network stands between the store and HQ and does not let us through.',
    todo: 'Enter it as `hq.proxy` in the configuration, or have the network let this machine out.',
  },
  portal_between: {
    symptom: 'delivery',
    cause: 'A login page or another server answers in HQ’s place.',
    todo: 'Log the store’s line in, or correct the address given with `footbridge enroll --hq`.',
  },
  delivery_stalled: {
    symptom: 'delivery',
    cause: 'HQ answers, but takes none of the readings that wait.',
    todo: 'Tell headquarters what HQ answered, see above; a proxy here may refuse large bodies. Readings are kept.',
  },
  backlog_old: {
    symptom: 'delivery',
    cause: 'Readings wait longer than they should; HQ takes them, slowly.',
    todo: 'It drains by itself; look again in a while.',
    result: 'warning',
  },
} as const satisfies Record<string, CatalogueEntry>;
