/** A long delivery as the person in the store watches it, on a terminal. */
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, openHq } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { terminal } from '../support/terminal.ts';
import { Workspace } from '../support/workspace.ts';
import { HqLine } from '../torture/hq-line.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

test('status --watch says what waits and why, how fast it goes, and ends when HQ has it all', async () => {
  const hq = await openHq(anyEngine);
  workspace.onEnd(() => hq.close());
  const line = new HqLine(Number(new URL(hq.url).port), Math.random);
  const hq_url = `http://127.0.0.1:${await line.open()}`;
  workspace.onEnd(() => line.close());
  line.become('cut');
  const store = await addTestStore(hq);
  const daemon = await DaemonAtHq.at(hq, store, workspace, { hq_url });
  // Some seconds for what waits.
  daemon.configure({ upload_bytes_per_s: 3_000 });
  await daemon.start();
  await daemon.count(1, 2_200);
  const config = join(daemon.folder, 'footbridge.yaml');
  const watch = terminal(workspace, '--config', config, 'status', '--watch');
  await watch.until('buffer      2200 readings wait for HQ');
  await watch.until(/2200 readings wait for HQ, none fewer since \d+ s: HQ cannot be reached/);
  line.become('fair');
  await watch.until(/\d+ readings wait for HQ, \d+ fewer a second, done in about \d+ s/);
  await watch.until('HQ has every reading');
  expect(await watch.ended).toBe(0);
  const [row] = await hq.asOwner<{ people: number }>(
    'select sum(in_count)::int as people from people_counting_raw where store_id = $1',
    [store.store_id],
  );
  expect(row?.people).toBe(2_200);
});
