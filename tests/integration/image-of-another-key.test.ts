/** A store's disk put back from an image that is older than the gateway's key: it enrols anew. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { listLosses } from '../../cloud-sync/gateways/losses.ts';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, eventually, type Hq, inviteTo, openHq } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 90_000 });
const workspace = new Workspace();
let hq: Hq;
beforeAll(async () => {
  hq = await openHq(anyEngine);
});
afterAll(() => hq.close());

test('what went with the disk stands in the ledger of the gateway that it becomes', async () => {
  const store = await addTestStore(hq);
  const daemon = await DaemonAtHq.at(hq, store, workspace);
  await daemon.start();
  await daemon.count(1, 5);
  await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 5);
  await daemon.kill();
  const image = join(daemon.folder, 'image');
  cpSync(daemon.data, image, { recursive: true, filter: (path) => !path.endsWith('.sock') });

  // Fifteen minutes of which HQ only hears.
  daemon.configure({}, [], { send_interval_s: 600 });
  await daemon.start();
  await daemon.count(6, 20);
  await eventually(
    () =>
      hq.asOwner<{ newest: number }>(
        'select max(last_sequence)::int as newest from app.gateway_epochs where gateway_id = $1',
        [daemon.gateway_id],
      ),
    ([row]) => row?.newest === 20,
    40_000,
  );
  await daemon.kill();
  // As the first use of the next key ends the one that the image has.
  const ending = 'update app.gateway_credentials set revoked_at = now() where gateway_id = $1';
  await hq.asOwner(ending, [daemon.gateway_id]);
  rmSync(daemon.data, { recursive: true });
  cpSync(image, daemon.data, { recursive: true });
  daemon.configure({});
  await daemon.start();
  await daemon.count(21, 23);

  const token = await inviteTo(hq, store);
  await daemon.enroll('--force', '--hq', hq.url, '--token', token);
  await daemon.until('delivered', ({ buffer }) => buffer.settled_sequence === 8);
  const [row] = await hq.asOwner<{ people: number }>(
    'select sum(in_count)::int as people from people_counting_raw where store_id = $1',
    [store.store_id],
  );
  expect(row).toEqual({ people: 8 });
  const [loss, ...others] = await listLosses(hq.db, store.organization);
  expect(others).toEqual([]);
  expect(loss).toMatchObject({ reason: 'lost_with_image', count: 15 });
  expect(loss?.gateway_id).not.toBe(daemon.gateway_id);
});
