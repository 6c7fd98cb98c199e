/** A person in a store who types what the command before has printed, and walks when a test waits. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { askDaemon } from '../gateway/local/local-client.ts';
import { systemClock } from '../shared/runtime/clock.ts';

const clock = systemClock;
/** More than any printed path has. */
const commands_max = 12;

/** A simulated sensor: resolves when each person was acknowledged. */
export interface Door {
  cross(...ways: ('in' | 'out')[]): Promise<void>;
}

export interface PrintedPath {
  /** What was typed, in order. */
  readonly commands: readonly string[];
  /** What the walk test said. */
  readonly verdict: string;
  /** From the first command to the verdict. */
  readonly walk_test_s: number;
}

/**
 * Types a command, then what it says comes next, until the doctor has looked. While a walk test waits,
 * two people walk in and one out.
 *
 * @param footbridge words that stand for the command.
 * @param first what the first command is told.
 * @param at the sensor, and the socket of the gateway as seen from here.
 * @throws Error where a command before the doctor fails.
 */
export async function followPrinted(
  footbridge: readonly string[],
  first: readonly string[],
  at: { door: Door; socket: string },
): Promise<PrintedPath> {
  const begun = clock.monotonic();
  const commands: string[] = [];
  let verdict = '';
  let walk_test_s = Number.NaN;
  let words: readonly string[] | null = first;
  while (words !== null && commands.length < commands_max) {
    commands.push(['footbridge', ...words].join(' '));
    const walks = words.includes('walk-test');
    const typing = typed(footbridge, words);
    if (walks) await walkWhenAsked(at.socket, at.door);
    const { stdout, stderr, code } = await typing;
    if (code !== 0 && !words.includes('doctor')) throw new Error(`${words.join(' ')}: ${stderr}`);
    if (walks) {
      verdict = /^(\w+):/m.exec(stdout)?.[1] ?? stdout;
      walk_test_s = seconds(clock.monotonic() - begun);
    }
    const next: string | undefined = /^Next: (?:npx )?footbridge (.*)$/m.exec(stdout)?.[1];
    words = next === undefined || words.includes('doctor') ? null : next.split(' ');
  }
  return { commands, verdict, walk_test_s };
}

/** Walks as soon as the gateway counts for the test. */
async function walkWhenAsked(socket: string, door: Door): Promise<void> {
  const underWay = async () =>
    (await askDaemon<{ test: unknown }>(socket, 'GET', '/walk-test')).test !== null;
  while (!(await underWay())) await clock.sleep(20);
  await door.cross('in', 'in', 'out');
}

/** A person who passes, as json-crossing reads it. */
export function crossing(direction: 'in' | 'out'): string {
  return JSON.stringify({ id: clock.uuid(), time: new Date(clock.now()).toISOString(), direction });
}

export interface Typed {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function typed(
  [file = '', ...rest]: readonly string[],
  words: readonly string[],
): Promise<Typed> {
  const child = spawn(file, [...rest, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** In hundredths, as printed. */
export function seconds(ms: number): number {
  return Math.round(ms / 10) / 100;
}
