/** `footbridge sensor discover`: what is there to pair, how sure that is, and the command that pairs it. */
import { existsSync, readdirSync } from 'node:fs';
import type { Command } from 'commander';
import { systemClock } from '../../shared/runtime/clock.ts';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import { askDaemon } from '../local/local-client.ts';
import type { Found } from '../pairing/discovery.ts';
import { ago } from './ago.ts';
import { commandLine, printNext } from './command-line.ts';
import { type ScanOptions, scanned } from './scan-command.ts';
import { type Installation, settingOf } from './setting.ts';
import { LiveLine, styled } from './terminal.ts';

interface DiscoverOptions extends ScanOptions {
  for: string;
}

interface SerialPortSeen {
  /** Stays the same whatever is plugged in first. */
  readonly path: string;
  /** The source that owns it, or null. */
  readonly source: string | null;
}

const look_every_ms = 200;
/** Who has been heard once, others may follow: nobody new for so long ends the search. */
const quiet_ms = 1_500;
const serial_folder = '/dev/serial/by-id';

export function addDiscover(sensor: Command, installation: Installation): void {
  sensor
    .command('discover')
    .description('listen for devices that nobody has paired; nothing is lost or changed by it')
    .option('--for <seconds>', 'how long to wait for the first one', '30')
    .option('--bus <source>', 'ask the units of this Modbus bus instead; counting goes on')
    .option(
      '--network <range>',
      'call these addresses for Modbus TCP instead: 10.0.0.0/24, 10.0.0.5-20',
    )
    .option('--port <number>', 'network: the port to call', '502')
    .option(
      '--serial <path>',
      'ask this serial port at the usual speeds instead; no source has it open',
    )
    .option('--units <from-to>', 'bus: which units (1-32); serial: which numbers (1-4)')
    .option('-y, --yes', 'network: also addresses that are hardly the store’s')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      `
Devices that speak by themselves (MQTT, HTTP) are matched to profiles by what they say. Serial ports
are listed by their stable names. What is asked, the running gateway asks, between the questions of its
sensors; nothing is written to a device.

Examples:
  footbridge sensor discover
  footbridge sensor discover --for 120 --json
  footbridge sensor discover --bus beams --units 1-20
  footbridge sensor discover --network 10.0.0.0/24
  footbridge sensor discover --serial /dev/serial/by-id/usb-FTDI_A1-if00-port0`,
    )
    .action(async (options: DiscoverOptions, command: Command) => {
      const setting = settingOf(command, installation);
      const { config, files } = setting;
      if (await scanned(command, installation, setting, options)) return;
      const devices = await listenFor(files.socket, secondsOf(options.for));
      const ports = serialPorts(config.sources);
      if (options.json === true) return printJson({ devices, serial_ports: ports });
      printDevices(command, installation, devices);
      const best = devices.find((device) => device.options !== null);
      if (best !== undefined) {
        printLine();
        printNext(command, installation, 'sensor', 'pair', best.sensor_id, ...(best.options ?? []));
      }
      for (const { path, source } of ports) {
        printLine();
        printLine(
          `${styled('bold', path)}  ${source === null ? 'not in the configuration' : source}`,
        );
        if (source !== null) continue;
        printLine(
          `  ${commandLine(command, installation, 'sensor', 'discover', '--serial', path)}`,
        );
      }
    });
}

/** Who speaks and is nobody's, once nobody new has spoken for a moment or the time is up. */
export async function listenFor(socket: string, wait_s: number): Promise<Found[]> {
  const line = new LiveLine();
  const until = systemClock.monotonic() + wait_s * 1000;
  let devices: Found[] = [];
  let news_at = Number.POSITIVE_INFINITY;
  try {
    for (;;) {
      const heard = await askDaemon<{ devices: Found[] }>(socket, 'GET', '/discovery');
      const now = systemClock.monotonic();
      if (heard.devices.length > devices.length) news_at = now;
      devices = heard.devices;
      if (now >= until || now - news_at >= quiet_ms) return devices;
      line.show(`  listening: ${devices.length} heard, ${Math.ceil((until - now) / 1000)} s left`);
      await systemClock.sleep(look_every_ms);
    }
  } finally {
    line.end();
  }
}

const said = {
  sure: ['green', 'sure'],
  likely: ['green', 'likely'],
  unsure: ['yellow', 'unsure'],
  unknown: ['red', 'unknown'],
} as const;

function printDevices(
  command: Command,
  installation: Installation,
  devices: readonly Found[],
): void {
  if (devices.length === 0) {
    printLine(
      'Nobody is heard who is not paired. Check that the device is on, and where it sends to:',
    );
    printLine(`  ${commandLine(command, installation, 'source', 'list')}`);
    return;
  }
  devices.forEach((device, i) => {
    if (i > 0) printLine();
    printDevice(command, installation, device);
  });
}

function printDevice(command: Command, installation: Installation, found: Found): void {
  const { source, address, device, messages, last_at, sureness, candidates, options } = found;
  const named = device === null ? '' : `, device ${device}`;
  const shown = (text: string) => text.replaceAll(/\p{Cc}/gu, '?');
  const heard = `${messages} messages, the last ${ago(last_at)}`;
  printLine(`${styled('bold', `${source} ${shown(address)}`)}${shown(named)}  ${heard}`);
  const [style, word] = said[sureness];
  const [best, ...others] = candidates;
  if (best === undefined || options === null) {
    printLine(
      `  ${styled(style, word)}: no profile reads it; docs/profiles.md tells how to write one`,
    );
    printLine(`  its bytes: ${commandLine(command, installation, 'buffer', 'quarantine')}`);
    return;
  }
  printLine(
    `  ${styled(style, word)}: ${best.profile}, ${best.title}; it reads ${shown(best.reads)}`,
  );
  for (const other of others.slice(0, 3)) printLine(`  or ${other.profile}: ${shown(other.reads)}`);
  const pair = ['sensor', 'pair', found.sensor_id, ...options];
  printLine(`  ${styled('bold', commandLine(command, installation, ...pair))}`);
}

/** Ports by the name that stays, and who owns each. */
function serialPorts(sources: readonly SourceConfig[]): SerialPortSeen[] {
  if (!existsSync(serial_folder)) return [];
  return readdirSync(serial_folder)
    .sort()
    .map((name) => `${serial_folder}/${name}`)
    .map((path) => {
      const owner = sources.find((source) => 'path' in source && source.path === path);
      return { path, source: owner?.name ?? null };
    });
}

/** @throws FootbridgeError usage */
function secondsOf(text: string): number {
  const seconds = Number(text);
  if (seconds >= 0 && seconds <= 3600 && text.trim() !== '') return seconds;
  throw new FootbridgeError('usage', `--for is "${text}"; it takes 0 to 3600 seconds`);
}
