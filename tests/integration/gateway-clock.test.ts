/** A gateway without a battery clock, from its sensors to the batches that HQ would get. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readingFlags } from '../../shared/wire/reading.ts';
import { Machine } from '../support/machine.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();
const { retimed, date_unknown } = readingFlags;
const minute = 60_000;

test('what came before the clock was set goes to HQ afterwards, with its true time', async () => {
  const machine = new Machine(workspace);
  await machine.boot('1970-01-01T00:00:20Z');
  const crossings = [machine.truth];
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 8 * minute;
  crossings.push(machine.truth);
  await machine.say('crossing', { direction: 'in', id: 2 });
  expect(await machine.delivered()).toEqual([]);
  expect(await machine.undated).toBe(2);

  machine.setClock();
  await machine.caughtUp();
  const delivered = await machine.delivered();
  expect(delivered).toMatchObject([
    { in: 1, flags: retimed },
    { in: 1, flags: retimed },
  ]);
  delivered.forEach(({ observed_at }, i) => {
    expect(Math.abs(observed_at - (crossings[i] ?? 0))).toBeLessThan(1000);
  });
  expect(await machine.undated).toBe(0);
});

test('a device with a clock of its own is believed, although the gateway had none', async () => {
  const machine = new Machine(workspace);
  await machine.boot('2000-01-01T00:00:00Z');
  await machine.say('interval', {
    id: 1,
    from: '2026-03-02T10:05:00Z',
    to: '2026-03-02T10:06:00Z',
    in: 4,
    out: 0,
  });
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toEqual([
    { sensor: 'interval', observed_at: Date.parse('2026-03-02T10:05:00Z'), in: 4, flags: retimed },
  ]);
});

test('a daemon that starts again within the boot dates what the one before it had heard', async () => {
  const machine = new Machine(workspace);
  await machine.boot('1970-01-01T00:00:20Z');
  const heard_at = machine.truth;
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 3 * minute;
  await machine.startDaemon();
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 3 * minute;
  machine.setClock();
  await machine.startDaemon();
  await machine.caughtUp();
  expect(await machine.delivered()).toEqual([
    { sensor: 'crossing', observed_at: heard_at, in: 1, flags: retimed },
  ]);
});

test('a boot that ended before its clock was set is dated as late as can be, and says so', async () => {
  const machine = new Machine(workspace);
  await machine.boot('1970-01-01T00:00:20Z');
  await machine.say('crossing', { direction: 'in', id: 1 });
  machine.truth += 4 * minute;
  await machine.say('crossing', { direction: 'in', id: 2 });
  machine.truth += 30 * minute;
  await machine.boot('1970-01-01T00:00:20Z');
  const booted_at = machine.truth;
  machine.truth += minute;
  await machine.say('crossing', { direction: 'in', id: 3 });
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toMatchObject([
    { observed_at: booted_at - 4 * minute, in: 1, flags: retimed | date_unknown },
    { observed_at: booted_at, in: 1, flags: retimed | date_unknown },
    { observed_at: booted_at + minute, in: 1, flags: retimed },
  ]);
});

test('a clock that goes on from before the last count is not believed', async () => {
  const machine = new Machine(workspace);
  await machine.boot();
  await machine.say('crossing', { direction: 'in', id: 1 });
  const saved = new Date(machine.truth - 10 * minute).toISOString();
  machine.truth += 120 * minute;
  await machine.boot(saved);
  await machine.say('crossing', { direction: 'in', id: 2 });
  expect(await machine.undated).toBe(1);
  machine.setClock();
  await machine.caughtUp();
  expect(await machine.delivered()).toMatchObject([
    { flags: 0 },
    { observed_at: machine.truth, flags: retimed },
  ]);
});

/** Told apart from the first total, which is a baseline. */
const first_total = 100;
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ what: fc.constant('person' as const) }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constantFrom('daemon', 'reboot', 'set') }) },
);

test('law: whatever ends and starts in between, every person is counted once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      const machine = new Machine(workspace);
      await machine.boot('1970-01-01T00:00:20Z');
      let people = 0;
      await machine.say('total', { in: first_total, out: 0 });
      for (const { what } of steps) {
        machine.truth += 20_000;
        if (what === 'daemon') await machine.startDaemon();
        else if (what === 'reboot') await machine.boot('1970-01-01T00:00:20Z');
        else if (what === 'set') machine.setClock();
        else {
          people += 1;
          await Promise.all([
            machine.say('total', { in: first_total + people, out: 0 }),
            machine.say('crossing', { direction: 'in', id: people }),
          ]);
        }
      }
      machine.setClock();
      await machine.caughtUp();
      machine.truth += 2 * minute;
      await machine.say('total', { in: first_total + people, out: 0 });
      const delivered = await machine.delivered();
      const sum = (sensor: string) =>
        delivered.reduce((all, row) => (row.sensor === sensor ? all + row.in : all), 0);
      expect([sum('crossing'), sum('total')]).toEqual([people, people]);
      expect(delivered.every(({ observed_at }) => observed_at > Date.UTC(2026, 0, 1))).toBe(true);
    }),
    { numRuns: 4 },
  );
});
