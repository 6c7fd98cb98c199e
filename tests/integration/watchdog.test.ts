/** What systemd's watchdog hears from a gateway: progress, and nothing while there is none. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { systemClock } from '../../shared/runtime/clock.ts';
import { socat, testWith } from '../support/debian-part.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { eventually } from '../support/frames.ts';
import { end } from '../support/process.ts';
import { stuckDisk } from '../support/stuck-disk.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 120_000 });
const workspace = new Workspace();
const patience_ms = 30_000;
/** Fed at a third of it. */
const watchdog_ms = 600;
/** As long as many feedings. */
const silence_ms = 5 * watchdog_ms;

/** The socket that systemd gives a service, and how often which word has come. */
async function notifySocket() {
  const path = join(workspace.folder(), 'notify');
  const receiver = spawn('socat', ['-u', `UNIX-RECV:${path}`, 'STDOUT'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  workspace.onEnd(() => end(receiver));
  let heard = '';
  let last_at = Number.NaN;
  receiver.stdout.on('data', (chunk) => {
    heard += chunk;
    last_at = systemClock.monotonic();
  });
  await eventually('a receiver', () => existsSync(path), patience_ms);
  return {
    path,
    count: (word: string) => heard.split(word).length - 1,
    isSilent: () => systemClock.monotonic() - last_at > silence_ms,
  };
}

const parts = {
  name: 'socat and systemd-notify',
  isInstalled: () => socat.isInstalled() && spawnSync('systemd-notify', ['--version']).status === 0,
};

testWith(parts, 'feeds the watchdog while the writer makes progress, and only then', async () => {
  const notify = await notifySocket();
  const disk = stuckDisk(workspace.folder());
  const store = await new DoctoredStore(workspace)
    .sensors({ profile: 'json-crossing', topic: 'door' })
    .listening();
  const service = { NOTIFY_SOCKET: notify.path, WATCHDOG_USEC: String(watchdog_ms * 1000) };
  await store.run({ environment: { ...disk.environment, ...service } });
  const fed = () => notify.count('WATCHDOG=1');
  await eventually('two feedings', () => fed() >= 2, patience_ms);
  expect(notify.count('READY=1')).toBe(1);

  disk.stick();
  let isAcknowledged = false;
  const crossing = { id: 1, time: new Date().toISOString(), direction: 'in' };
  const told = store.publish('door', crossing).then(() => {
    isAcknowledged = true;
  });
  await eventually('silence', notify.isSilent, patience_ms);
  expect(isAcknowledged).toBe(false);

  const before = fed();
  disk.answer();
  await told;
  await eventually('feedings again', () => fed() > before, patience_ms);
});
