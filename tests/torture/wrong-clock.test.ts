import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { faketime, testWith } from '../support/debian-part.ts';
import { WrongClock } from './wrong-clock.ts';

const hour_ms = 3_600_000;

testWith(faketime, 'the clock of a process jumps by hours, and is right again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'footbridge-clock-'));
  try {
    const forward = [0.9, 0.5, 0.9];
    const clock = new WrongClock(folder, () => forward.shift() ?? 0);
    const ahead_h = () => {
      const env = { ...process.env, ...clock.environment };
      const { stdout } = spawnSync(process.execPath, ['-p', 'Date.now()'], { env });
      return (Number(stdout) - Date.now()) / hour_ms;
    };
    expect(ahead_h()).toBeCloseTo(0);
    clock.jump();
    expect(ahead_h()).toBeCloseTo(37);
    clock.jump();
    expect(ahead_h()).toBeCloseTo(0);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
