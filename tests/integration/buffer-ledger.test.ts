import { randomUUID } from 'node:crypto';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listGateways } from '../../cloud-sync/gateways/registry.ts';
import { storeHeartbeat } from '../../cloud-sync/health/heartbeat.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { addTestStore, enrollTestGateway, type Hq, openHq, type TestStore } from '../support/hq.ts';
import { describeOnEngines } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const page_bytes = 1024;

/** The buffer file of a gateway, through several processes. */
class Disk {
  readonly path = join(workspace.folder(), 'buffer.sqlite');
  #log: ReadingLog | undefined;

  /** The log of the process that runs, or of one that starts. */
  get log(): ReadingLog {
    if (this.#log !== undefined) return this.#log;
    const { connection, set_aside } = openBuffer(this.path, { epoch: randomUUID(), now: 0 });
    this.#log = new ReadingLog(connection, set_aside);
    this.#log.recover();
    return this.#log;
  }

  end(): void {
    this.#log?.close();
    this.#log = undefined;
  }

  lose(frames: number, reason = 'checksum'): void {
    const frame = { source: 'line', address: '', reason, detail: '', length: 0 };
    const quarantined = [{ ...frame, bytes: new Uint8Array(), received_at: Date.now() }];
    const draft = new GroupDraft();
    for (let i = 0; i < frames; i += 1) {
      draft.add({ readings: [], dedupe_key: null, meter: null, quarantined });
    }
    this.log.commit(draft.finish());
  }
}

/** Writes rubbish over the first page of a table. */
function damage(path: string, table: string): void {
  const connection = new Database(path, { readonly: true });
  const root = connection.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
  const page = root.get(table) as number;
  connection.close();
  const file = readFileSync(path);
  writeFileSync(path, file.fill(0xa5, (page - 1) * page_bytes, page * page_bytes));
}

describeOnEngines('the ledger of losses at HQ', (engine) => {
  let hq: Hq;
  beforeAll(async () => {
    hq = await openHq(engine);
  });
  afterAll(() => hq.close());

  /** A gateway of the store that tells HQ about a disk, and is told. */
  const enrolled = async (store: TestStore) => {
    const { gateway_id, credential_id } = await enrollTestGateway(hq, store);
    const place = { organization_id: store.organization.id, store_id: store.store_id };
    return {
      gateway_id,
      beat: async (disk: Disk) => {
        const { epoch, epochs, losses, settled, settled_sequence } = disk.log.stats();
        const now = Date.now();
        const answer = await storeHeartbeat(
          hq.db,
          { ...place, gateway_id, credential_id },
          {
            ...{ version: '0.1.0', epoch, sent_at: now, buffered: 0, oldest_unsent_at: null },
            ...{ delivered_at: now, durability: 'fsync', sensors: [], sources: [] },
            ...{ quarantined: [...losses], settled_sequence, epochs: [...epochs] },
          },
          now,
        );
        const asked = { epochs, settled, losses, held: [], isFirst: true, now };
        return disk.log.reconcile({ epochs: answer.epochs ?? [], counted: [] }, asked);
      },
      /** What the ledger says of this gateway. */
      lost: async () => {
        const rows = await listGateways(hq.db, store.organization);
        return rows.find((row) => row.gateway_id === gateway_id)?.quarantined;
      },
    };
  };

  it('counts once what a buffer brings along into a new epoch', async () => {
    const { beat, lost } = await enrolled(await addTestStore(hq));
    const disk = new Disk();
    disk.lose(3);
    await beat(disk);
    await beat(disk);
    const { epoch } = disk.log.stats();
    disk.end();
    damage(disk.path, 'quarantine');
    disk.lose(2);
    expect(disk.log.stats().epoch).not.toBe(epoch);
    await beat(disk);
    await beat(disk);
    expect(await lost()).toBe(5);
    disk.end();
  });

  it('is what was told and what an image of the disk has seen since, whatever was put back when', async () => {
    const step = fc.oneof(
      fc.record({ what: fc.constant('lose' as const), frames: fc.integer({ min: 1, max: 3 }) }),
      fc.record({ what: fc.constantFrom('restart' as const, 'beat' as const) }),
      fc.record({ what: fc.constantFrom('image' as const, 'put back' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 12 }), async (steps) => {
        const { beat, lost } = await enrolled(await addTestStore(hq));
        const disk = new Disk();
        const image = `${disk.path}.image`;
        // Told by lives whose disk is gone, and by the present one or still to be told.
        let known = 0;
        let present = 0;
        let in_image: number | undefined;
        const settle = async () => {
          // A process tells what it found, hears whether HQ knows more, and tells its own.
          for (let i = 0; i < 3; i += 1) await beat(disk);
        };
        for (const { what, ...how } of steps) {
          if (what === 'lose') {
            const { frames } = how as { frames: number };
            disk.lose(frames, frames === 1 ? 'checksum' : 'unknown_topic');
            present += frames;
          } else if (what === 'restart') disk.end();
          else if (what === 'beat') await settle();
          else if (what === 'image') {
            await settle();
            disk.end();
            copyFileSync(disk.path, image);
            in_image = present;
          } else if (in_image !== undefined) {
            await settle();
            disk.end();
            copyFileSync(image, disk.path);
            known += present - in_image;
            present = in_image;
          }
        }
        await settle();
        expect(await lost()).toBe(known + present);
        disk.end();
      }),
      { numRuns: 8 },
    );
  });

  it('has every loss first in some heartbeat, however many one can tell', () => {
    const disk = new Disk();
    for (const reason of ['checksum', 'unknown_topic', 'truncated']) disk.lose(1, reason);
    const heard = new Set<string>();
    for (let beat = 0; beat < 3; beat += 1) {
      const { losses, epochs, settled } = disk.log.stats();
      const told = losses.slice(0, 1);
      for (const { reason } of told) heard.add(reason);
      const asked = { epochs, settled, losses: told, held: [], isFirst: false, now: beat };
      disk.log.reconcile({ epochs: [], counted: [] }, asked);
    }
    expect([...heard].sort()).toEqual(['checksum', 'truncated', 'unknown_topic']);
    disk.end();
  });

  it('does not take the losses of one gateway for those of the next that delivers from its disk', async () => {
    const store = await addTestStore(hq);
    const [before, after] = [await enrolled(store), await enrolled(store)];
    const disk = new Disk();
    disk.log.deliverAs(before.gateway_id);
    disk.lose(3);
    await before.beat(disk);
    await before.beat(disk);
    disk.log.deliverAs(after.gateway_id);
    disk.lose(2);
    await after.beat(disk);
    await after.beat(disk);
    expect([await before.lost(), await after.lost()]).toEqual([3, 2]);
    disk.end();
  });
});
