/** `footbridge sensor walk-test|audit`: proof that a sensor counts who walks below it. */
import { userInfo } from 'node:os';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { exitCode, FootbridgeError } from '../../shared/runtime/errors.ts';
import type { CommissioningRecord } from '../../shared/wire/commissioning.ts';
import { askDaemon } from '../local/local-client.ts';
import type { WalkTestRequest, WalkTestStatus } from '../local/walk-tests.ts';
import { accuracyOf } from '../pairing/commissioning.ts';
import type { Sensor } from '../pairing/sensor.ts';
import { commandLine, printNext } from './command-line.ts';
import { type Installation, settingOf } from './setting.ts';
import { confirm, isAttended, LiveLine, styled } from './terminal.ts';

interface WalkOptions {
  in: string;
  out: string;
  who: string;
  for: string;
  swap?: boolean;
  json?: boolean;
}

interface AuditOptions {
  start?: boolean;
  in?: string;
  out?: string;
  who: string;
  json?: boolean;
}

const look_every_ms = 150;
/** Who walked is counted; somebody more may still come through the frame. */
const settled_ms = 1_500;

export function addWalkTest(sensor: Command, installation: Installation): void {
  sensor
    .command('walk-test <sensor_id>')
    .description('walk below a sensor and see whether it counts that; exits 1 unless it does')
    .option('--in <times>', 'how often you will walk in', '2')
    .option('--out <times>', 'how often you will walk out', '1')
    .option('--for <seconds>', 'how long to wait for the sensor', '120')
    .option('--swap', 'where in and out are swapped, pair the sensor the other way round')
    .option('--who <name>', 'who walks; stands in the evidence', accountName())
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
The result is kept as evidence and sent to HQ. The store's page shows the counts large.

Examples:
  footbridge sensor walk-test front-door
  footbridge sensor walk-test front-door/line-2 --in 3 --out 3 --who "M. Ruiz" --swap`,
    )
    .action(async (sensor_id: string, options: WalkOptions, command: Command) => {
      const people = { in: peopleOf('in', options.in), out: peopleOf('out', options.out) };
      const wait_s = peopleOf('for', options.for);
      await walkTest(command, installation, sensor_id, { ...options, ...people, wait_s });
    });
}

export interface Walk {
  readonly in: number;
  readonly out: number;
  /** How long to wait for the sensor, seconds. */
  readonly wait_s: number;
  readonly who?: string;
  readonly swap?: boolean;
  readonly json?: boolean;
}

/** Begins, shows the counts, judges, keeps the evidence and says what comes next. */
export async function walkTest(
  command: Command,
  installation: Installation,
  sensor_id: string,
  walk: Walk,
): Promise<void> {
  if (walk.in === walk.out) {
    const detail = 'walk in and out a different number of times, or nobody sees a swap';
    throw new FootbridgeError('usage', detail);
  }
  const { socket } = settingOf(command, installation).files;
  const { who = accountName() } = walk;
  const request = { kind: 'walk_test', sensor_id, who, in: walk.in, out: walk.out };
  const begun = await askDaemon<WalkTestStatus>(socket, 'POST', '/walk-test', request);
  if (walk.json !== true) printLine(`${begun.name}: walk in ${walk.in}×, out ${walk.out}×.`);
  await watch(socket, walk.wait_s);
  const record = await finish(socket, { sensor_id });
  if (record.verdict !== 'pass') process.exitCode = exitCode.fault;
  const swap = record.verdict === 'swapped' && (await wantsSwap(walk));
  if (swap) await turnRound(socket, sensor_id);
  if (walk.json === true) return printJson({ ...record, swapped_now: swap });
  printVerdict(record);
  const again = ['sensor', 'walk-test', sensor_id];
  if (swap) printLine('In and out are exchanged from now on; what was counted stays.');
  if (record.verdict === 'pass') printNext(command, installation, 'doctor');
  else if (record.verdict === 'swapped' && !swap) {
    printNext(command, installation, ...again, '--swap');
  } else printNext(command, installation, ...again);
}

export function addAudit(sensor: Command, installation: Installation): void {
  sensor
    .command('audit <sensor_id>')
    .description('compare a sensor with a count by hand, at least 100 people each way')
    .option('--start', 'begin: count by hand from now on')
    .option('--in <people>', 'end: how many you counted in')
    .option('--out <people>', 'end: how many you counted out')
    .option('--who <name>', 'who counts; stands in the evidence', accountName())
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Passed with 95 % or more each way, it certifies the sensor at HQ for a quarter of a year.

Examples:
  footbridge sensor audit front-door --start
  footbridge sensor audit front-door --in 132 --out 128`,
    )
    .action(async (sensor_id: string, options: AuditOptions, command: Command) => {
      const { socket } = settingOf(command, installation).files;
      if (options.start === true) {
        const nobody = { in: 0, out: 0 };
        const request: WalkTestRequest = { kind: 'audit', sensor_id, who: options.who, ...nobody };
        const begun = await askDaemon<WalkTestStatus>(socket, 'POST', '/walk-test', request);
        if (options.json === true) return printJson(begun);
        printLine(`${begun.name}: count by hand from now on, in and out apart.`);
        const end = commandLine(command, installation, 'sensor', 'audit', sensor_id);
        return printLine(`At the end: ${end} --in … --out …`);
      }
      const missing = options.in === undefined || options.out === undefined;
      if (missing) throw new FootbridgeError('usage', 'give --start, or --in and --out to end');
      const by_hand = { in: peopleOf('in', options.in), out: peopleOf('out', options.out) };
      const record = await finish(socket, { sensor_id, by_hand });
      const counted = { in: record.counted_in, out: record.counted_out };
      const accuracy = accuracyOf(by_hand, counted);
      if (record.verdict !== 'pass') process.exitCode = exitCode.fault;
      if (options.json === true) return printJson({ ...record, accuracy });
      for (const way of ['in', 'out'] as const) {
        const share = accuracy[way] === null ? 'nobody' : `${(accuracy[way] * 100).toFixed(1)} %`;
        printLine(`${way.padEnd(4)}by hand ${by_hand[way]}, sensor ${counted[way]}: ${share}`);
      }
      printVerdict(record);
    });
}

/** Shows the counts until the walk is over or the time is up. */
async function watch(socket: string, wait_s: number): Promise<void> {
  const line = new LiveLine();
  const until = systemClock.monotonic() + wait_s * 1000;
  let seen = '';
  let since = systemClock.monotonic();
  try {
    for (;;) {
      const { test } = await askDaemon<{ test: WalkTestStatus | null }>(
        socket,
        'GET',
        '/walk-test',
      );
      if (test === null) return;
      const now = systemClock.monotonic();
      const counts = `in ${test.counted.in}   out ${test.counted.out}`;
      if (counts !== seen) since = now;
      seen = counts;
      line.show(`  ${counts}   ${Math.ceil((until - now) / 1000)} s left`);
      if (now >= until || (test.verdict !== 'waiting' && now - since >= settled_ms)) return;
      await systemClock.sleep(look_every_ms);
    }
  } finally {
    line.end();
  }
}

function finish(socket: string, ended: object): Promise<CommissioningRecord> {
  return askDaemon<CommissioningRecord>(socket, 'POST', '/walk-test/finish', ended);
}

async function wantsSwap({ swap, json }: Walk): Promise<boolean> {
  if (swap === true) return true;
  if (json === true || !isAttended()) return false;
  return confirm('In and out are swapped. Exchange them now?');
}

const otherWay = { 'as-is': 'swapped', swapped: 'as-is', in: 'out', out: 'in' } as const;

/** A line belongs to its device, which hangs one way for all of them. */
async function turnRound(socket: string, sensor_id: string): Promise<void> {
  const sensor = await askDaemon<Sensor>(socket, 'GET', `/sensors/${sensor_id.split('/')[0]}`);
  if (sensor.direction === 'halved') return;
  const turned = { ...sensor, direction: otherWay[sensor.direction] };
  await askDaemon(socket, 'POST', '/sensors', turned);
}

const said = {
  pass: ['green', 'PASSED'],
  swapped: ['red', 'SWAPPED: who walks in is counted out'],
  miscounted: ['red', 'FAILED'],
  too_few: ['yellow', 'TOO FEW PEOPLE to say; 100 each way are needed'],
} as const;

function printVerdict(record: CommissioningRecord): void {
  const [style, text] = said[record.verdict];
  const { counted_in, counted_out, expected_in, expected_out } = record;
  printLine(
    `${styled(style, text)}: in ${counted_in} of ${expected_in}, out ${counted_out} of ${expected_out}.`,
  );
  if (record.verdict === 'miscounted') {
    printLine('Check height, angle and light of the sensor, and that nobody else walked through.');
  }
}

/** @throws FootbridgeError usage */
function peopleOf(option: string, text = ''): number {
  const people = Number(text);
  if (/^\d{1,6}$/.test(text)) return people;
  throw new FootbridgeError('usage', `--${option} is "${text}"; it takes a whole number`);
}

/** A container may run under a number that no account has. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
