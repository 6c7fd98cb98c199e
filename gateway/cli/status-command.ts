/** `footbridge status`, `footbridge buffer …`. */
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine, printTable } from '../../shared/runtime/command-output.ts';
import type { QuarantineRow } from '../buffer/entry.ts';
import { askDaemon } from '../local/local-client.ts';
import type { GatewayStatus } from '../status.ts';
import { ago } from './ago.ts';
import { type BacklogSample, progressLine, samples_kept } from './delivery-progress.ts';
import { type Installation, settingOf } from './setting.ts';
import { printSources } from './source-command.ts';

interface JsonOption {
  json?: boolean;
}

export function addStatusCommands(program: Command, installation: Installation): void {
  const status = (command: Command) =>
    askDaemon<GatewayStatus>(settingOf(command, installation).files.socket, 'GET', '/status');

  program
    .command('status')
    .description('show sources, sensors, buffer and delivery of the running gateway')
    .option('--json', 'print one JSON document')
    .option('--watch', 'then a line a second until HQ has every reading')
    .addHelpText('after', '\nExample:\n  footbridge status --watch')
    .action(async (options: JsonOption & { watch?: boolean }, command: Command) => {
      const seen = await status(command);
      if (options.json === true) return printJson(seen);
      printStatus(seen);
      if (options.watch === true) await watchDelivery(() => status(command));
    });

  const buffer = program.command('buffer').description('look into the buffer');
  buffer
    .command('stats')
    .description('show what waits for HQ')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge buffer stats')
    .action(async (options: JsonOption, command: Command) => {
      const seen = await status(command);
      if (options.json === true) printJson(seen.buffer);
      else printBuffer(seen);
    });
  buffer
    .command('quarantine')
    .description('show frames and readings that could not be used, and why')
    .option('--limit <rows>', 'newest rows to show', '50')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  footbridge buffer quarantine --limit 10')
    .action(async (options: JsonOption & { limit: string }, command: Command) => {
      const { socket } = settingOf(command, installation).files;
      const limit = Math.max(1, Math.trunc(Number(options.limit)) || 50);
      const rows = await askDaemon<QuarantineRow[]>(socket, 'GET', `/quarantine?limit=${limit}`);
      const totals = (await status(command)).buffer.quarantined;
      if (options.json === true) printJson({ totals, rows });
      else printQuarantine(totals, rows);
    });
}

const watch_every_ms = 1_000;

async function watchDelivery(look: () => Promise<GatewayStatus>): Promise<void> {
  let samples: BacklogSample[] = [];
  for (;;) {
    const { buffer, uplink } = await look();
    const { buffered } = buffer;
    samples = [...samples.slice(1 - samples_kept), { buffered, at: systemClock.monotonic() }];
    printLine(progressLine(samples, uplink.sync?.error ?? uplink.fault));
    if (buffered === 0) return;
    await systemClock.sleep(watch_every_ms);
  }
}

function printStatus(status: GatewayStatus): void {
  const { enrolled, sync } = status.uplink;
  const where =
    enrolled === null ? 'not enrolled' : `${enrolled.store} of ${enrolled.organization}`;
  printLine(`Footbridge ${status.version}, ${where}`);
  printBuffer(status);
  if (sync !== null) {
    const error = sync.error === null ? '' : `: ${sync.error}`;
    printLine(`delivery    ${sync.state}${error}; last delivered ${ago(sync.last_delivered_at)}`);
  }
  const { version, refused } = status.configuration;
  if (refused !== null) {
    printLine(`names       version ${refused.version} of HQ is refused: ${refused.detail}`);
  } else if (version > 0) printLine(`names       version ${version} of HQ`);
  for (const { profile, detail } of status.profile_faults) {
    printLine(`profile     ${profile} kept as it was: ${detail}`);
  }
  printLine();
  printSources(status.sources);
  printLine();
  const sensors = status.sensors.map((each) => [
    each.sensor_id,
    each.profile,
    `${ago(each.last_seen_at)}${each.offline_since === null ? '' : ', offline'}`,
  ]);
  printTable(['SENSOR', 'PROFILE', 'LAST SEEN'], sensors);
}

function printBuffer({ buffer, durability, buffer_error, ignored }: GatewayStatus): void {
  const error = buffer_error === null ? '' : ` (${buffer_error})`;
  printLine(`durability  ${durability}${error}`);
  const { oldest_unsent_at } = buffer;
  const oldest = oldest_unsent_at === null ? '' : `, oldest ${ago(oldest_unsent_at)}`;
  printLine(
    `buffer      ${buffer.buffered} readings wait for HQ${oldest}, ` +
      `${(buffer.bytes / 1024 / 1024).toFixed(1)} MiB`,
  );
  if (buffer.salvaging > 0) {
    printLine(`salvage     ${buffer.salvaging} of them follow out of a damaged file`);
  }
  if (buffer.reserve === 'released') {
    printLine('disk        full; its reserve is given up for deliveries until there is room again');
  }
  if (buffer.undated > 0) {
    printLine(`clock       not set; ${buffer.undated} records wait for a date`);
  }
  if (buffer.coalesced > 0) {
    printLine(`coalesced   ${buffer.coalesced} readings into others of their quarter hour`);
  }
  const reasons = Object.entries(ignored).map(([reason, count]) => `${count} ${reason}`);
  if (reasons.length > 0) printLine(`ignored     ${reasons.join(', ')}`);
  const quarantined = buffer.quarantined.reduce((sum, total) => sum + total.count, 0);
  if (quarantined > 0) {
    printLine(`quarantine  ${quarantined}; see \`footbridge buffer quarantine\``);
  }
}

function printQuarantine(
  totals: GatewayStatus['buffer']['quarantined'],
  rows: readonly QuarantineRow[],
): void {
  const counts = totals.map((each) => [
    each.source,
    each.reason,
    String(each.count),
    ago(each.last_at),
  ]);
  printTable(['SOURCE', 'REASON', 'COUNT', 'LAST'], counts);
  printLine();
  printTable(
    ['WHEN', 'SOURCE', 'ADDRESS', 'REASON', 'BYTES', 'DETAIL'],
    rows.map((row) => [
      ago(row.received_at),
      row.source,
      row.address,
      row.reason,
      String(row.length),
      row.detail,
    ]),
  );
}
