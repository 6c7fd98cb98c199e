/** What can be wrong with the machine in the store: the service, its disk and its buffer. */
import type { CatalogueEntry } from './catalogue-entry.ts';

export const machineFindings = {
  // The gateway does not run
  configuration_wrong: {
    symptom: 'stopped',
    cause: 'The configuration has mistakes, and the gateway does not start with them.',
    todo: 'Correct the lines named; `footbridge check-config` checks again.',
  },
  profile_broken: {
    symptom: 'stopped',
    cause: 'A profile of this site has mistakes.',
    todo: 'Correct the fields named; `footbridge profile test FILE MESSAGE` tries it.',
  },
  profile_kept: {
    symptom: 'stopped',
    cause:
      'A profile of this site was changed and has mistakes; the one before it is still in use.',
    todo: 'Correct the fields named before the next start; `footbridge profile test FILE MESSAGE` tries it.',
    result: 'warning',
  },
  pairing_duplicate: {
    symptom: 'stopped',
    cause: 'The list of sensors names a sensor or an address twice.',
    todo: 'Take one of the two out of sensors.json in the data directory, then start the gateway.',
  },
  source_duplicate: {
    symptom: 'stopped',
    cause: 'Two sources of the configuration want the same port or line.',
    todo: 'Keep one of them: a line has one owner, and its sensors share it.',
  },
  daemon_stopped: {
    symptom: 'stopped',
    cause: 'The gateway does not run.',
    todo: 'Start it: `systemctl start footbridge`, or `footbridge run` to see why it ends.',
  },
  unit_failed: {
    symptom: 'stopped',
    cause: 'systemd started the gateway, and it failed.',
    todo: '`journalctl -u footbridge -n 50` has the reason; then `systemctl start footbridge`.',
  },
  unit_disabled: {
    symptom: 'stopped',
    cause: 'The gateway will not start with the machine.',
    todo: '`systemctl enable footbridge`.',
    result: 'warning',
  },
  daemon_hangs: {
    symptom: 'stopped',
    cause: 'The gateway is there and does not answer: it hangs, or was stopped by hand.',
    todo: '`systemctl restart footbridge`. Nothing acknowledged is lost; what waits stays on disk.',
  },
  socket_forbidden: {
    symptom: 'stopped',
    cause: 'This account may not speak to the gateway.',
    todo: 'Use an account of the group that owns the socket, or sudo.',
  },
  data_forbidden: {
    symptom: 'stopped',
    cause: 'The data directory cannot be used.',
    todo: 'Give it to the user of the gateway: `chown -R footbridge: /var/lib/footbridge`.',
  },
  restarts: {
    symptom: 'stopped',
    cause: 'The gateway was killed again and again: by the watchdog, for memory, or by hand.',
    todo: '`journalctl -u footbridge` around these times says by whom. Nothing acknowledged is lost.',
  },
  page_closed: {
    symptom: 'stopped',
    cause: 'The store’s page cannot be opened; counting goes on without it.',
    todo: 'Stop the program that has its port, or give `page` another `port`.',
    result: 'warning',
  },
  version_stale: {
    symptom: 'stopped',
    cause: 'The gateway that runs is not the version that is installed.',
    todo: '`systemctl restart footbridge` at a quiet moment; what waits in the buffer stays.',
    result: 'warning',
  },

  // Disk and buffer
  disk_full: {
    symptom: 'storage',
    cause: 'The disk is full.',
    todo: 'Free space on it. Counting resumes by itself; sensors that wait send again.',
  },
  disk_filling: {
    symptom: 'storage',
    cause: 'The disk is nearly full.',
    todo: 'Free space on it before counting has to stop.',
    result: 'warning',
  },
  disk_worn: {
    symptom: 'storage',
    cause: 'The flash memory of the disk is nearly used up.',
    todo: 'Replace the card or disk at the next visit; deliver the buffer first.',
    result: 'warning',
  },
  disk_volatile: {
    symptom: 'storage',
    cause: 'The data directory does not survive a power cut, or lies on another machine.',
    todo: 'Set `data_dir` to a folder on a local disk.',
  },
  buffer_quota: {
    symptom: 'storage',
    cause: 'The buffer has reached its quota; no sensor is acknowledged meanwhile.',
    todo: 'Bring the line to headquarters back, or raise buffer.quota_mb.',
  },
  quota_near: {
    symptom: 'storage',
    cause: 'The buffer is near its quota: the oldest minutes are being added up to quarter hours.',
    todo: 'Bring the line to headquarters back, or raise buffer.quota_mb. No person is lost.',
    result: 'warning',
  },
  buffer_unwritable: {
    symptom: 'storage',
    cause: 'The buffer cannot be written; no sensor is acknowledged meanwhile.',
    todo: 'Check the disk and its mount. Counting resumes by itself; nothing is dropped.',
  },
  buffer_set_aside: {
    symptom: 'storage',
    cause: 'The buffer was damaged and set aside; counting went on in a new one.',
    todo: 'Check the disk. Keep the file while `footbridge status` shows a salvage; then move it away to end this warning.',
    result: 'warning',
  },
  buffer_broken: {
    symptom: 'storage',
    cause: 'The buffer file is damaged.',
    todo: 'Start the gateway: it sets the file aside and counts on in a new one. Check the disk.',
  },
  buffer_newer: {
    symptom: 'storage',
    cause: 'The buffer was written by a newer Footbridge, and the way back does not stand in it.',
    todo: 'Install that version again; an older one must not touch it.',
  },
} as const satisfies Record<string, CatalogueEntry>;
