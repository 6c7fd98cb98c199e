/** People who walked in one store are never another's, in whatever part of the buffer they wait. */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Entry } from '../../gateway/buffer/entry.ts';
import { GroupDraft } from '../../gateway/buffer/group.ts';
import { ReadingLog } from '../../gateway/buffer/reading-log.ts';
import { openBuffer } from '../../gateway/buffer/schema.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { CountReading } from '../../shared/wire/reading.ts';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, type Hq, inviteTo, noon, openHq } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
let hq: Hq;
beforeAll(async () => {
  hq = await openHq(anyEngine);
});
afterAll(() => hq.close());

const interval: CountReading = {
  ...{ kind: 'count', sensor_id: 'door', observed_at: noon, interval_s: 60, in: 5, out: 0 },
  ...{ received_at: noon + 60_000, flags: 0 },
};
const nothing: Entry = { readings: [], dedupe_key: null, meter: null, quarantined: [] };

test.each([
  ['a running total’s first interval', { ...nothing, readings: [interval], isFirstInterval: true }],
  [
    'a record without a time',
    { ...nothing, undated: { boot_id: 'boot', uptime_ms: 1, record: '{}' } },
  ],
])('%s keeps a gateway from another store', async (_what, entry) => {
  const store = await addTestStore(hq);
  const elsewhere = await addTestStore(hq, { organization: store.organization });
  const daemon = await DaemonAtHq.at(hq, store, workspace);
  const path = join(daemon.data, 'buffer.sqlite');
  const { connection } = openBuffer(path, { epoch: systemClock.uuid(), now: noon });
  const log = new ReadingLog(connection, null);
  log.deliverAs(daemon.gateway_id);
  const draft = new GroupDraft();
  draft.add(entry);
  log.commit(draft.finish());
  log.close();

  const enrol = (token: string) => daemon.enroll('--force', '--hq', hq.url, '--token', token);
  await expect(enrol(await inviteTo(hq, elsewhere))).rejects.toThrow(/another store/);
  await enrol(await inviteTo(hq, store));
});
