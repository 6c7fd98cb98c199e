/** A credential that is damaged or gone while readings wait: whose they are stands with them. */
import { rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { DaemonAtHq } from '../support/daemon-at-hq.ts';
import { addTestStore, type Hq, inviteTo, openHq, type TestStore } from '../support/hq.ts';
import { anyEngine } from '../support/postgres.ts';
import { freePort } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();
let hq: Hq;
beforeAll(async () => {
  hq = await openHq(anyEngine);
});
afterAll(() => hq.close());

const peopleOf = async ({ store_id }: TestStore) => {
  const [row] = await hq.asOwner<{ people: number }>(
    'select coalesce(sum(in_count), 0)::int as people from people_counting_raw where store_id = $1',
    [store_id],
  );
  return row?.people;
};

test.each([
  ['damaged', (path: string) => writeFileSync(path, '{"hq_url":'), true],
  ['damaged', (path: string) => writeFileSync(path, '{"hq_url":'), false],
  ['gone', (path: string) => rmSync(path), true],
  ['gone', (path: string) => rmSync(path), false],
])('%s: enrolled anew in its own store, and in no other', async (_how, damage, isRunning) => {
  const store = await addTestStore(hq);
  const elsewhere = await addTestStore(hq, { organization: store.organization });
  // Nobody listens there: what it counts waits.
  const hq_url = `http://127.0.0.1:${await freePort()}`;
  const daemon = await DaemonAtHq.at(hq, store, workspace, { hq_url });
  await daemon.start();
  await daemon.count(1, 7);
  await daemon.until('it waits', ({ buffer }) => buffer.buffered === 7);
  damage(daemon.credentialPath);
  if (isRunning) await daemon.until('out of use', ({ uplink }) => uplink.enrolled === null);
  else await daemon.kill();

  const enrol = (token: string) => daemon.enroll('--force', '--hq', hq.url, '--token', token);
  await expect(enrol(await inviteTo(hq, elsewhere))).rejects.toThrow(
    /token_of_another_store|another store/,
  );
  await enrol(await inviteTo(hq, store));
  if (!isRunning) await daemon.start();
  await daemon.until('delivered', ({ buffer }) => buffer.buffered === 0);
  expect(await peopleOf(store)).toBe(7);
  expect(await peopleOf(elsewhere)).toBe(0);
});
