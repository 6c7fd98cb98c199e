import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { test, vi } from 'vitest';
import { testWith } from '../support/debian-part.ts';
import { DoctoredStore } from '../support/doctored-store.ts';
import { loopDevice, mountNamespace, ownMounts } from '../support/own-mounts.ts';
import { end } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
const door = { profile: 'json-total', topic: 'door' };

testWith(loopDevice, 'a disk that is nearly full', async () => {
  const folder = workspace.folder();
  const data = join(folder, 'data');
  mkdirSync(data);
  const store = await new DoctoredStore(workspace, { data }).sensors(door).enrolled().listening();
  const image = join(folder, 'disk.img');
  const around = await ownMounts(
    workspace,
    `truncate -s 300M ${image}; mkfs.ext4 -q ${image}; mkdir ${folder}/disk
     mount -o loop ${image} ${folder}/disk; cp ${data}/* ${folder}/disk; mount --move ${folder}/disk ${data}
     READY; exec sleep 600`,
  );
  await store.run(around);
  await store.expectFirst('disk_filling', /2\d\d of 2\d\d MiB free/, around);
});

testWith(mountNamespace, 'flash memory that has used up its life', async () => {
  const store = await new DoctoredStore(workspace).sensors(door).enrolled().listening();
  const card = '/sys/block/mmcblk0/device';
  // What the kernel's driver shows of an eMMC, at the place where it shows it.
  const around = await ownMounts(
    workspace,
    `mount -t tmpfs none /sys/block; mkdir -p ${card}; echo 0x02 0x0a > ${card}/life_time
     READY; exec sleep 600`,
  );
  await store.run(around);
  await store.expectFirst('disk_worn', /100 % of its life used/, around);
});

/** A buffer of the smallest quota, with so many bytes that nothing can be taken out of. */
async function filled(bytes: number): Promise<DoctoredStore> {
  const store = new DoctoredStore(workspace).sensors(door).enrolled();
  await store.listening({}, { buffer: { quota_mb: 64 } });
  await end(await store.run());
  const file = new Database(join(store.data, 'buffer.sqlite'));
  file.exec('CREATE TABLE filling (bytes BLOB)');
  const fill = file.prepare('INSERT INTO filling VALUES (zeroblob(1048576))');
  for (let i = 0; i < bytes / 2 ** 20; i += 1) fill.run();
  file.close();
  await store.run();
  return store;
}

test('a buffer near its quota, and one that has reached it', async () => {
  const near = await filled(60 * 2 ** 20);
  await near.expectFirst('quota_near', /6\d of 64 MiB/);
  const reached = await filled(65 * 2 ** 20);
  const client = await reached.client();
  client.publish('door', '{"in": 1, "out": 1}', { qos: 1 });
  await reached.expectFirst('buffer_quota', /quota; .* of 67108864 bytes/);
});
