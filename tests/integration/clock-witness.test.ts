/** A clock that was set back by less than an hour while the gateway was off: who may say that it is right. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ClockWitness } from '../../gateway/clock-witness.ts';
import { Machine } from '../support/machine.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const minute = 60_000;
const ahead = '2026-03-02T10:47:00Z';

/** Counted one person at 10:07 by a clock 40 minutes ahead, and boots at 10:08 with the right one. */
async function setBack(witness: ClockWitness): Promise<Machine> {
  const machine = new Machine(workspace, witness);
  await machine.boot(ahead);
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += minute;
  await machine.boot();
  await machine.say('crossing', { direction: 'in', id: 2 });
  return machine;
}
const times = async (machine: Machine) =>
  (await machine.delivered()).map(({ observed_at }) =>
    new Date(observed_at).toISOString().slice(0, 19),
  );
const first = ahead.slice(0, 19);
const second = '2026-03-02T10:08:00';

test('nobody: what comes waits until the clock has caught up', async () => {
  const machine = await setBack(new ClockWitness(join(workspace.folder(), 'synchronized')));
  expect(await machine.undated).toBe(1);
  expect(await times(machine)).toEqual([first]);
});

test('the time service that has set it', async () => {
  const file = join(workspace.folder(), 'synchronized');
  writeFileSync(file, '');
  const machine = await setBack(new ClockWitness(file));
  expect(await machine.undated).toBe(0);
  expect(await times(machine)).toEqual([first, second]);
});

test('an HQ whose clock agrees, once it is heard; one that does not agree is no witness', async () => {
  let skew_ms: number | null = null;
  const witness = new ClockWitness(join(workspace.folder(), 'synchronized'));
  witness.asksHq(() => skew_ms);
  const machine = await setBack(witness);
  expect(await machine.undated).toBe(1);
  skew_ms = -30 * minute;
  expect(witness.confirms).toBe(false);
  skew_ms = 1_200;
  await machine.caughtUp();
  expect(await machine.undated).toBe(0);
  expect(await times(machine)).toEqual([first, second]);
});

test('a clock that was never set is believed of nobody', async () => {
  const witness = new ClockWitness(join(workspace.folder(), 'synchronized'));
  witness.asksHq(() => 0);
  const machine = new Machine(workspace, witness);
  await machine.boot('1970-01-01T00:00:20Z');
  await machine.say('crossing', { direction: 'in', id: 1 });
  expect(await machine.undated).toBe(1);
});
