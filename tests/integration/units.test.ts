import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from '../rules/sources.ts';
import { describeWith } from '../support/debian-part.ts';
import { Workspace } from '../support/workspace.ts';

const workspace = new Workspace();

const systemdAnalyze = {
  name: 'systemd-analyze',
  isInstalled: () => spawnSync('systemd-analyze', ['--version']).status === 0,
};

describeWith(systemdAnalyze, 'systemd', () => {
  test.each([
    ['footbridge.service', 1.5],
    ['footbridge-hq.service', 1.5],
  ])('finds %s exposed to %s at most', (unit, exposure_max) => {
    // Its words for users read the file's name, so it has to have it.
    const file = join(workspace.folder(), unit);
    writeFileSync(file, readFileSync(join(root, 'systemd', unit)));
    const parameters = ['security', '--offline=true', '--no-pager', file];
    const { stdout } = spawnSync('systemd-analyze', parameters, { encoding: 'utf8' });
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(exposure)).toBeLessThanOrEqual(exposure_max);
  });
});
