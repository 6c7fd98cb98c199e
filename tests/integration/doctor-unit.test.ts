import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { vi } from 'vitest';
import { testWith } from '../support/debian-part.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { systemd } from '../support/own-mounts.ts';
import { entry } from '../support/process.ts';
import { systemctl, systemdWith } from '../support/systemd-manager.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

/** A gateway that is systemd's, as the package installs it: same name, same data directory. */
async function managed(command: (config: string) => string) {
  const data = join(workspace.folder(), 'footbridge');
  mkdirSync(data);
  const store = new DoctoredStore(workspace, { data })
    .sensors({ profile: 'json-total', topic: 'door' })
    .enrolled();
  await store.listening({}, { data_dir: '/var/lib/footbridge' });
  const unit = `[Service]
Type=notify
ExecStart=${command(store.config)}
[Install]
WantedBy=default.target
`;
  return { store, around: await systemdWith(workspace, { unit, data }) };
}

testWith(systemd, 'a unit that systemd started and that failed', async () => {
  const { store, around } = await managed(() => '/usr/lib/footbridge/node-that-is-gone run');
  systemctl(around, 'start', 'footbridge.service');
  await store.expectFirst('unit_failed', /result exit-code, 0 restarts/, around);
});

testWith(systemd, 'a gateway that will not start with the machine', async () => {
  const { store, around } = await managed(
    (config) => `${process.execPath} ${entry.footbridge} --config ${config} run`,
  );
  systemctl(around, 'start', 'footbridge.service');
  await store.expectFirst('unit_disabled', /systemd: disabled/, around);
  systemctl(around, 'stop', 'footbridge.service');
});
