/** What the operating system says of the disk and of the service. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { DiskEvidence, ServiceEvidence } from './evidence.ts';

/** The unit that the package installs; a gateway elsewhere is nobody's service. */
export const unit = { name: 'footbridge.service', data_dir: '/var/lib/footbridge' };

/** Magic numbers of statfs(2) that promise nothing after a power cut, or lie elsewhere. */
const volatileTypes: Readonly<Record<number, string>> = {
  16914836: 'tmpfs',
  2240043254: 'ramfs',
  26985: 'NFS',
  4283649346: 'CIFS',
  4266872130: 'SMB',
};
const systemctl_deadline_ms = 5_000;

/** @param sys where sysfs is mounted. */
export function diskEvidence(buffer_path: string, sys = '/sys'): DiskEvidence {
  const folder = dirname(buffer_path);
  const { bavail, blocks, bsize, type } = statfsSync(folder);
  const set_aside = readdirSync(folder)
    .filter((name) => /\.damaged-\d+$/.test(name) && name.startsWith(basename(buffer_path)))
    .sort();
  return {
    free_bytes: bavail * bsize,
    total_bytes: blocks * bsize,
    volatile: volatileTypes[type] ?? null,
    worn_percent: wornPercent(sys),
    set_aside,
  };
}

/**
 * eMMC tells its age in steps of ten percent, for two kinds of memory, 0x01 to 0x0b (JESD84-B51,
 * DEVICE_LIFE_TIME_EST); other cards and disks need a tool of their maker.
 */
export function wornPercent(sys: string): number | null {
  const folder = `${sys}/block`;
  if (!existsSync(folder)) return null;
  const ages = readdirSync(folder)
    .map((name) => `${folder}/${name}/device/life_time`)
    .filter((file) => existsSync(file))
    .flatMap((file) => readFileSync(file, 'utf8').trim().split(/\s+/))
    .map((step) => Number(step) * 10)
    .filter((percent) => percent > 0);
  return ages.length === 0 ? null : Math.max(...ages);
}

/** @returns null where systemd does not run, or has no unit of this name. */
export function serviceEvidence(name: string): ServiceEvidence | null {
  if (!existsSync('/run/systemd/system')) return null;
  const wanted = ['LoadState', 'ActiveState', 'UnitFileState', 'Result', 'NRestarts'];
  try {
    const options = { encoding: 'utf8', timeout: systemctl_deadline_ms } as const;
    const text = execFileSync('systemctl', ['show', name, `-p${wanted.join(',')}`], options);
    const shown = new Map(text.split('\n').map((row) => row.split('=') as [string, string]));
    if (shown.get('LoadState') !== 'loaded') return null;
    return {
      active: shown.get('ActiveState') ?? '',
      enabled: shown.get('UnitFileState') ?? '',
      result: shown.get('Result') ?? '',
      restarts: Number(shown.get('NRestarts') ?? 0),
    };
  } catch {
    return null;
  }
}
