/** What can be wrong between the gateway and its sensors. */
import type { CatalogueEntry } from './catalogue-entry.ts';

export const sourceFindings = {
  // One connection
  port_taken: {
    symptom: 'source',
    cause: 'Another program has the port.',
    todo: 'Stop that program, or give the source another `port` and the sensors with it.',
  },
  serial_taken: {
    symptom: 'source',
    cause: 'Another program has the serial line open.',
    todo: 'Stop that program: two owners of a line take each other’s answers.',
  },
  serial_forbidden: {
    symptom: 'source',
    cause: 'The gateway may not open the serial line.',
    todo: 'Add its user to the group of the device: `usermod -aG dialout footbridge`, then restart it.',
  },
  serial_missing: {
    symptom: 'source',
    cause: 'There is no serial line of this name.',
    todo: 'Plug the adapter in; `ls /dev/serial/by-id` shows the names that stay.',
  },
  serial_unstable: {
    symptom: 'source',
    cause:
      'The serial line is named by the order of plugging; after the next plug it is another device.',
    todo: 'Use its name below /dev/serial/by-id or /dev/footbridge.',
    result: 'warning',
  },
  line_garbled: {
    symptom: 'source',
    cause: 'Bytes arrive that are no answers: the line has another speed or parity.',
    todo: 'Compare `baud`, `parity` and `stop_bits` with the device; 9600 8N1 and 19200 8E1 are usual.',
  },
  line_swapped: {
    symptom: 'source',
    cause: 'The line is upside down: A and B are swapped, so that its rest arrives as zeros.',
    todo: 'Swap the two wires at one end. No harm is done by trying.',
  },
  line_silent: {
    symptom: 'source',
    cause: 'No device on this line answers.',
    todo: 'Check power, both wires and the unit numbers; then `footbridge source test NAME`.',
  },
  line_noisy: {
    symptom: 'source',
    cause: 'Frames arrive damaged: interference, a missing terminator, or a bad contact.',
    todo: 'Terminate both ends of the line with 120 Ω, and keep it away from power cables.',
    result: 'warning',
  },
  broker_refuses: {
    symptom: 'source',
    cause: 'The broker refuses the login.',
    todo: 'Correct `username` and `password_file` of the source, or the broker’s list of users.',
  },
  host_refuses: {
    symptom: 'source',
    cause: 'The machine is there, and nothing listens on the port.',
    todo: 'Start the broker or switch the device’s protocol on; compare the port.',
  },
  host_unknown: {
    symptom: 'source',
    cause: 'The name has no address (DNS).',
    todo: 'Correct the name, or the DNS server of this machine; an address in numbers needs none.',
  },
  host_away: {
    symptom: 'source',
    cause: 'The machine cannot be reached.',
    todo: 'Check power, cable and address; `ping` from here.',
  },
  certificate_expired: {
    symptom: 'source',
    cause: 'The certificate has expired.',
    todo: 'Renew it there; where the date of this machine is wrong, set that instead.',
  },
  certificate_untrusted: {
    symptom: 'source',
    cause: 'The certificate is of an authority that is not trusted here.',
    todo: 'Name the authority in `ca_file` of the source; for HQ in NODE_EXTRA_CA_CERTS of the service.',
  },
  certificate_misnamed: {
    symptom: 'source',
    cause: 'The certificate is for another name.',
    todo: 'Use the name that it is for in the address.',
  },
  certificate_early: {
    symptom: 'source',
    cause: 'The certificate is not valid yet: the clock of this machine is behind.',
    todo: 'Set the clock: `timedatectl set-ntp true`, then `timedatectl`.',
  },
  listener_certificate: {
    symptom: 'source',
    cause: 'Our own certificate has expired or soon will; devices then hang up.',
    todo: 'Put a new one in its place and restart the gateway.',
  },
  broker_forgets: {
    symptom: 'source',
    cause: 'The broker keeps acknowledged messages in memory: a power cut loses them.',
    todo: 'Install Footbridge’s drop-in for Mosquitto (docs/install.md), or let the gateway be the broker.',
    result: 'warning',
  },
  source_failing: {
    symptom: 'source',
    cause: 'The connection does not work.',
    todo: 'Check cable, address and power; `footbridge source test NAME` watches it.',
  },
  device_refused: {
    symptom: 'source',
    cause: 'Devices were turned away: no login, a wrong one, or one for another address.',
    todo: 'Enter the login that `footbridge sensor pair --login` printed, or pair again for a new one.',
    result: 'warning',
  },

  // One sensor
  no_sensors: {
    symptom: 'sensor',
    cause: 'No sensor is paired.',
    todo: 'Pair the first one: `footbridge sensor pair --help`.',
    result: 'warning',
  },
  unit_silent: {
    symptom: 'sensor',
    cause: 'This device does not answer, others on its line do.',
    todo: 'Check its power, its wires and its unit number.',
  },
  unit_refuses: {
    symptom: 'sensor',
    cause: 'The device answers that it has no such registers.',
    todo: 'Compare `--register` and the profile with the device’s table of registers.',
  },
  topic_silent: {
    symptom: 'sensor',
    cause: 'Nothing was ever published under this address.',
    todo: 'Check power and network of the device, and the address set in it: exactly as paired.',
  },
  topic_misspelt: {
    symptom: 'sensor',
    cause: 'A device speaks under an address that nobody paired, and this sensor is not heard.',
    todo: 'Pair the sensor with the address that is heard, or correct it in the device.',
  },
  retained_only: {
    symptom: 'sensor',
    cause: 'Only an old message that the broker had kept was heard: the device itself is gone.',
    todo: 'Check power and network of the device; a stored message is never counted.',
  },
  sensor_offline: {
    symptom: 'sensor',
    cause: 'The device, its bridge or the broker in its name said that it is gone.',
    todo: 'Check its power and battery, its network, and the bridge or edge node it belongs to.',
  },
  sensor_silent: {
    symptom: 'sensor',
    cause: 'The sensor was heard, and has been silent for too long.',
    todo: 'Check power and cable of the device, and that it still sends here.',
  },
  profile_wrong: {
    symptom: 'sensor',
    cause: 'The messages do not fit the profile of the sensor; another profile reads them.',
    todo: 'Pair again with the profile named.',
  },
  profile_ambiguous: {
    symptom: 'sensor',
    cause: 'The messages do not fit the profile of the sensor; several others read them.',
    todo: 'Look at what each makes of a message, `footbridge profile test`, then pair with the right one.',
  },
  profile_unfit: {
    symptom: 'sensor',
    cause: 'The messages do not fit the profile of the sensor, nor any other.',
    todo: 'See `footbridge buffer quarantine`; docs/profiles.md says how to write one.',
  },
} as const satisfies Record<string, CatalogueEntry>;
