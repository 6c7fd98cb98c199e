/**
 * A view of the file system that one test has for itself: real disks, devices and folders of the
 * kernel can be put in place in it, and nobody else sees them. They go with its last process.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Around } from './doctored-store.ts';
import { eventually } from './frames.ts';
import { end } from './process.ts';
import type { Workspace } from './workspace.ts';

/** Others than root are root in a namespace of users, where the machine allows that. */
const asRoot = process.getuid?.() === 0 ? [] : ['--map-root-user'];
const unshare = ['--mount', ...asRoot];

const can = (script: string) => spawnSync('unshare', [...unshare, 'sh', '-c', script]).status === 0;

export const mountNamespace = {
  name: 'a mount namespace',
  isInstalled: () => can('mount -t tmpfs none /mnt'),
};

export const systemd = {
  name: 'systemd in a mount namespace',
  isInstalled: () => existsSync('/lib/systemd/systemd') && mountNamespace.isInstalled(),
};

/** Without a network: nobody is reached, and the kernel says so at once. */
export const noNetwork: Around = { before: ['unshare', '--net', ...asRoot] };

export const loopDevice = {
  name: 'loop devices',
  isInstalled: () => {
    const script =
      'f=$(mktemp) && truncate -s 2M $f && mkfs.ext4 -q $f && mount -o loop $f /mnt; c=$?; rm -f $f; exit $c';
    return can(`PATH=$PATH:/sbin:/usr/sbin; ${script}`);
  },
};

/**
 * Runs the script in a view of its own, and keeps that.
 *
 * @param script for sh, which ends with a program that stays, or not at all.
 * @returns what stands before a command that is to see the same, and where it is seen from here.
 */
export async function ownMounts(workspace: Workspace, script: string): Promise<Around> {
  const ready = join(workspace.folder(), 'ready');
  const text = `set -e; PATH=$PATH:/sbin:/usr/sbin; ${script.replace('READY', `touch ${ready}`)}`;
  const holder = spawn('unshare', [...unshare, 'sh', '-c', text], { stdio: 'ignore' });
  workspace.onEnd(() => end(holder, 'SIGKILL'));
  await eventually('the mounts', () => {
    if (holder.exitCode !== null) throw new Error(`no such view of the files: ${script}`);
    return existsSync(ready);
  });
  const into = process.getuid?.() === 0 ? [] : ['--user', '--preserve-credentials'];
  const before = ['nsenter', '--target', `${holder.pid}`, '--mount', ...into];
  return { before, root: `/proc/${holder.pid}/root` };
}
