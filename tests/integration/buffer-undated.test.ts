import { join } from 'node:path';
import { expect, test } from 'vitest';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const identity = { epoch: '019ff000-0000-7000-8000-000000000000', now: 0 };
/** Of a row as the limit counts it: its record and what is beside it. */
const record = 'x'.repeat(940);
const row_bytes = 1_000;

test('of what waits for a date the oldest goes beyond a limit, and the ledger has its number', () => {
  const path = join(workspace.folder(), 'buffer.sqlite');
  const open = () => {
    const { connection } = openBuffer(path, identity);
    return new ReadingLog(connection, null, { undated_bytes: 10 * row_bytes });
  };
  let log = open();
  const come = (from: number, to: number) => {
    const draft = new GroupDraft();
    for (let uptime_ms = from; uptime_ms <= to; uptime_ms += 1) {
      const undated = { boot_id: 'boot', uptime_ms, record };
      draft.add({ readings: [], dedupe_key: null, meter: null, quarantined: [], undated });
    }
    log.commit(draft.finish());
  };
  const kept = () => log.undated(100).map((row) => row.uptime_ms);
  come(1, 10);
  expect(kept()).toHaveLength(10);
  expect(log.stats().quarantined).toEqual([]);
  come(11, 13);
  expect(kept()).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  expect(log.stats().quarantined).toMatchObject([{ reason: 'undated_given_up', count: 3 }]);
  log.close();

  log = open();
  come(14, 14);
  expect(log.stats()).toMatchObject({ undated: 10, quarantined: [{ count: 4 }] });
  // Once some have a date, there is room for as many.
  const dated = new GroupDraft();
  const [oldest] = log.undated(1);
  dated.add({
    readings: [],
    dedupe_key: null,
    meter: null,
    quarantined: [],
    dated: oldest?.id ?? 0,
  });
  log.commit(dated.finish());
  come(15, 15);
  expect(log.stats()).toMatchObject({ undated: 10, quarantined: [{ count: 4 }] });
  log.close();
});
