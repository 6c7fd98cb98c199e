/** systemd itself, managing just the gateway's unit, and systemctl speaking to it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Around } from './doctored-store.ts';
import { eventually } from './frames.ts';
import { ownMounts } from './own-mounts.ts';
import type { Workspace } from './workspace.ts';

/** Units that systemd cannot do without. */
const essential = { 'default.target': '', 'basic.target': '', 'shutdown.target': '' };

/**
 * A manager of its own stands at the place of the system's, and `data` at that of the package's data
 * directory.
 *
 * @param data a folder named `footbridge`.
 * @returns what stands before a command that is to see it.
 */
export async function systemdWith(
  workspace: Workspace,
  { unit, data }: { unit: string; data: string },
): Promise<Around> {
  const run = workspace.folder();
  const units = join(run, 'units');
  const none = join(run, 'none');
  for (const folder of [units, none, join(run, 'systemd/system')]) {
    mkdirSync(folder, { recursive: true });
  }
  const files = { ...essential, 'footbridge.service': unit };
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(units, name), text === '' ? '[Unit]\nDefaultDependencies=no\n' : text);
  }
  const around = await ownMounts(
    workspace,
    `mkdir -p /run/systemd; mount --bind ${run}/systemd /run/systemd
     mount --bind ${dirname(data)} /var/lib
     export XDG_RUNTIME_DIR=${run} HOME=${run} SYSTEMD_UNIT_PATH=${units}
     export SYSTEMD_GENERATOR_PATH=${none} SYSTEMD_ENVIRONMENT_GENERATOR_PATH=${none}
     READY; exec /lib/systemd/systemd --user --unit=default.target --log-target=null`,
  );
  await eventually('systemd', () => existsSync(join(run, 'systemd/private')));
  return around;
}

export function systemctl({ before = [] }: Around, ...words: string[]): void {
  const [program = '', ...rest] = [...before, 'systemctl', ...words];
  spawnSync(program, rest, { stdio: 'ignore' });
}
