import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { describeWith } from '../support/debian-part.ts';
import { command } from '../support/process.ts';
import { Workspace } from '../support/workspace.ts';

vi.setConfig({ testTimeout: 60_000 });
const workspace = new Workspace();

async function scriptFile(shell: string, name: 'footbridge' | 'footbridge-hq'): Promise<string> {
  const { code, stdout } = await command(name, 'completion', shell);
  expect(code).toBe(0);
  const file = join(workspace.folder(), `completion.${shell}`);
  writeFileSync(file, stdout);
  return file;
}

/** What bash itself would offer behind these words; the last is the one being typed. */
function bashOffers(file: string, ...words: string[]): string[] {
  const program = words[0] ?? '';
  const asked = `
    source "$1"; shift
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    $(complete -p ${program} | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const parameters = ['--norc', '-c', asked, 'bash', file, ...words];
  return execFileSync('bash', parameters, { encoding: 'utf8' }).trim().split('\n');
}

const installed = (name: string) => ({
  name,
  isInstalled: () => spawnSync(name, ['--version']).status === 0,
});

test('bash offers the commands, those below them, options and values', async () => {
  const file = await scriptFile('bash', 'footbridge');
  expect(bashOffers(file, 'footbridge', 'sen')).toEqual(['sensor']);
  expect(bashOffers(file, 'footbridge', 'sensor', 'wa')).toEqual(['walk-test']);
  const below = bashOffers(file, 'footbridge', 'sensor', '');
  expect(below).toContain('pair');
  expect(below).not.toContain('doctor');
  expect(bashOffers(file, 'footbridge', 'sensor', 'pair', 'door', '--pro')).toEqual(['--profile']);
  expect(bashOffers(file, 'footbridge', '--config', 'sensor', 'do')).toEqual(['doctor']);
  expect(bashOffers(file, 'footbridge', 'completion', 'f')).toEqual(['fish']);
});

test('bash leaves the value of an option to the names of files', async () => {
  const file = await scriptFile('bash', 'footbridge');
  expect(bashOffers(file, 'footbridge', '--config', 'd')).toEqual(['']);
});

test('bash offers those of headquarters', async () => {
  const file = await scriptFile('bash', 'footbridge-hq');
  expect(bashOffers(file, 'footbridge-hq', 'gateway', 'inv')).toEqual(['invite']);
  expect(bashOffers(file, 'footbridge-hq', 'gateway', 'invite', '--st')).toEqual(['--store']);
});

describeWith(installed('fish'), 'fish', () => {
  test('offers commands with what they are for', async () => {
    const file = await scriptFile('fish', 'footbridge');
    const offers = (line: string) =>
      execFileSync('fish', ['--no-config', '-c', `source ${file}; complete -C ${line}`], {
        encoding: 'utf8',
      }).trim();
    expect(offers("'footbridge doc'")).toMatch(/^doctor\tcheck the way of a count/);
    expect(offers("'footbridge --config sensor sensor wa'")).toMatch(/^walk-test\t/);
    expect(offers("'footbridge sensor pair door --pro'")).toMatch(/^--profile\t/);
  });
});

describeWith(installed('zsh'), 'zsh', () => {
  test.each(['footbridge', 'footbridge-hq'] as const)('reads the script of %s', async (name) => {
    const file = await scriptFile('zsh', name);
    const loaded = `autoload -Uz compinit && compinit -u -D && source ${file} && print $_comps[${name}]`;
    const { stdout, stderr } = spawnSync('zsh', ['-f', '-c', loaded], { encoding: 'utf8' });
    expect([stdout.trim(), stderr]).toEqual([`__${name.replace('-', '_')}`, '']);
  });
});
