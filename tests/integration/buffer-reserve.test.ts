import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { testWith } from '../support/debian-part.ts';
import { mountNamespace, ownMounts } from '../support/own-mounts.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const script = fileURLToPath(new URL('../support/buffer-on-full-disk.js', import.meta.url));

testWith(
  mountNamespace,
  'on a full disk deliveries go on, nothing new is taken, and both are as before once there is room',
  async () => {
    const disk = 'mount -t tmpfs -o size=12m none /mnt; READY; exec sleep 600';
    const { before: inside = [] } = await ownMounts(workspace, disk);
    const [command = '', ...parameters] = [...inside, process.execPath, script, '/mnt'];
    const { stdout, stderr } = spawnSync(command, parameters, { encoding: 'utf8' });
    expect(stderr).toBe('');
    const { reserve_bytes, before, full, delivered, after } = JSON.parse(stdout);
    expect(before).toMatchObject({ reserve: 'held', durability: 'fsync' });
    expect(reserve_bytes).toBeGreaterThan(100_000);
    expect(full).toMatchObject({ durability: 'degraded', failure: expect.stringMatching(/full/) });
    expect(delivered).toMatchObject({ settled_sequence: 100, refused: ['reading_conflict'] });
    expect(delivered).toMatchObject({ reserve: 'released', acknowledged: false });
    expect(after).toMatchObject({ reserve: 'held', last_sequence: 800, durability: 'fsync' });
  },
);
