/** A store's disk put back from an image, and HQ's database from a backup, under a running daemon. */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, eventually, type Hq, openHq, type TestStore } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 90_000 });
const workspace = new Workspace();

describe('restored from an older state', () => {
  let hq: Hq;
  let store: TestStore;
  beforeAll(async () => {
    hq = await openHq(anyEngine);
    store = await addTestStore(hq);
  });
  afterAll(() => hq.close());

  const delivered = (daemon: DaemonAtHq, last_sequence: number) =>
    daemon.until(
      `${last_sequence} delivered`,
      ({ buffer }) => buffer.buffered === 0 && buffer.last_sequence === last_sequence,
    );
  /** Minutes at HQ, each with one person, and how many people those are. */
  const atHq = async (gateway_id: string) => {
    const [row] = await hq.asOwner<{ minutes: number; people: number }>(
      `select count(distinct "timestamp")::int as minutes, coalesce(sum(in_count), 0)::int as people
       from people_counting_raw where store_id = $1 and gateway_id = $2`,
      [store.store_id, gateway_id],
    );
    return row;
  };

  test('a disk from an image: the readings since are HQ’s already, new ones begin an epoch', async () => {
    const daemon = await DaemonAtHq.at(hq, store, workspace);
    await daemon.start();
    await daemon.count(1, 5);
    await delivered(daemon, 5);
    await daemon.kill();
    const image = join(daemon.folder, 'image');
    cpSync(daemon.data, image, { recursive: true, filter: (path) => !path.endsWith('.sock') });

    await daemon.start();
    await daemon.count(6, 20);
    const before = await delivered(daemon, 20);
    await daemon.kill();
    rmSync(daemon.data, { recursive: true });
    cpSync(image, daemon.data, { recursive: true });
    await daemon.start();
    // Under sequences that HQ knows as others, sent before and after the gateway learns of it.
    await daemon.count(21, 23);
    const after = await daemon.until(
      'another epoch',
      ({ buffer }) => buffer.epoch !== before.buffer.epoch && buffer.buffered === 0,
    );
    expect(after.buffer.last_sequence).toBe(8);
    expect(after.buffer.quarantined).toEqual([]);
    await daemon.count(24, 30);
    await delivered(daemon, 15);
    expect(await atHq(daemon.gateway_id)).toEqual({ minutes: 30, people: 30 });
  });

  test('HQ from a backup: what it has lost is sent again, what it still has counts nothing', async () => {
    const daemon = await DaemonAtHq.at(hq, await addTestStore(hq), workspace);
    await daemon.start();
    await daemon.count(1, 12);
    await delivered(daemon, 12);
    const of = [daemon.gateway_id];
    // All of the ledger and half of the readings, as a backup between two batches has them.
    for (const table of ['app.ingest_batches', 'app.gateway_epochs']) {
      await hq.asOwner(`delete from ${table} where gateway_id = $1`, of);
    }
    await hq.asOwner(
      'delete from people_counting_raw where gateway_id = $1 and gateway_sequence > 6',
      of,
    );
    const [people] = await eventually(
      () =>
        hq.asOwner<{ people: number }>(
          'select sum(in_count)::int as people from people_counting_raw where gateway_id = $1',
          of,
        ),
      ([row]) => row?.people === 12,
      40_000,
    );
    expect(people).toEqual({ people: 12 });
    const { buffer } = await delivered(daemon, 12);
    expect(buffer.quarantined).toEqual([]);
  });
});
