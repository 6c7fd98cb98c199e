import { Command } from 'commander';
import { expect, test, vi } from 'vitest';
import { addCommands } from '../../gateway/cli/commands.ts';
import { command } from '../support/process.ts';

// Each test is several starts of the program, which take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const installation = {
  called: 'footbridge',
  version: '0',
  built_in_profiles: '',
  notify: {},
};

/** Every command with its words, and the help it prints. */
async function commands(): Promise<[string, Command][]> {
  const program = new Command('footbridge');
  await addCommands(program, installation as Parameters<typeof addCommands>[1], []);
  const below = (parent: Command, words: string): [string, Command][] =>
    parent.commands.flatMap((each): [string, Command][] => {
      const named = `${words} ${each.name()}`.trim();
      return each.commands.length === 0 ? [[named, each]] : below(each, named);
    });
  return below(program, '');
}

function helpOf(each: Command): string {
  let text = '';
  each.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  each.outputHelp();
  return text;
}

test('every command shows an example of itself', async () => {
  const all = await commands();
  expect(all.length).toBeGreaterThan(18);
  for (const [words, each] of all) {
    expect(helpOf(each), words).toMatch(new RegExp(`Examples?:\\n(.*\\n)*  footbridge ${words}`));
  }
});

test('every command that prints data prints one JSON document when asked', async () => {
  const without = (await commands())
    .filter(([, each]) => !each.options.some(({ long }) => long === '--json'))
    .map(([words]) => words);
  // `run` logs, `unpair` has nothing to say; an export is a document as it is, a completion a script.
  expect(without).toEqual(['run', 'sensor unpair', 'sensor export', 'completion']);
});

test.each([
  ['docter', 'doctor'],
  ['sensor par', 'pair'],
  ['sensor walk-tset x', 'walk-test'],
  ['status --jsno', '--json'],
])('after the typo `footbridge %s` it names %s and exits 2', async (typo, meant) => {
  const { code, stderr, stdout } = await command('footbridge', ...typo.split(' '));
  expect(stderr).toContain(`Did you mean ${meant}?`);
  expect([code, stdout]).toEqual([2, '']);
});

test.each([
  [0, '--help'],
  [1, '--data-dir /nonexistent status'],
  [2, 'sensor pair door'],
  [2, 'sensor walk-test door --in 1 --out 1'],
  [78, '--config /nonexistent check-config'],
])('it exits %i after `footbridge %s`, without colours where nobody looks', async (exit, words) => {
  const { code, stdout, stderr } = await command('footbridge', ...words.split(' '));
  expect(code).toBe(exit);
  expect(stdout + stderr).not.toContain('\u001b');
});
