/** What `sensor discover` asks of devices that do not speak unasked: a bus, a network, a serial port. */
import type { Command } from 'commander';
import { printJson, printLine } from '../../shared/runtime/command-output.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { SourceConfig } from '../config/config.ts';
import { askDaemon } from '../local/local-client.ts';
import { addressRange } from '../pairing/address-range.ts';
import type { UnitFound } from '../pairing/bus-scan.ts';
import type { LineWay } from '../pairing/line-probe.ts';
import type { DeviceFound } from '../pairing/network-scan.ts';
import { commandLine } from './command-line.ts';
import type { Installation, Setting } from './setting.ts';
import { LiveLine, styled } from './terminal.ts';
import { wholeNumber } from './whole-number.ts';

export interface ScanOptions {
  readonly bus?: string;
  readonly network?: string;
  readonly port: string;
  readonly serial?: string;
  readonly units?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** Prints command lines as this person types them. */
type Said = (...words: readonly string[]) => string;

const units_a_request = 4;
const modbus_port = 502;

/** @returns whether something was to be asked. */
export async function scanned(
  command: Command,
  installation: Installation,
  setting: Setting,
  options: ScanOptions,
): Promise<boolean> {
  const said: Said = (...words) => commandLine(command, installation, ...words);
  const { bus, network, serial } = options;
  if (bus !== undefined) await scanBus(setting, bus, options, said);
  else if (network !== undefined) await scanNetwork(setting, network, options, said);
  else if (serial !== undefined) await scanLine(setting, serial, options, said);
  else return false;
  return true;
}

/** Units that are not paired, a few at a time: the daemon asks between the sensors' questions. */
async function scanBus(
  { files }: Setting,
  bus: string,
  { units: range = '1-32', json }: ScanOptions,
  said: Said,
): Promise<void> {
  const found = await inPieces(unitsOf(range), units_a_request, async (units, first) => {
    const request = { source: bus, units };
    const path = '/discovery/bus';
    const answer = await askDaemon<{ units: UnitFound[] }>(files.socket, 'POST', path, request);
    return { shown: `unit ${first} of ${range}`, found: answer.units };
  });
  if (json === true) return printJson({ bus, units: found });
  if (found.length === 0) printLine(`Nobody new answers on ${bus}, units ${range}.`);
  for (const one of found) {
    printLine(`${styled('bold', `${bus} unit ${one.unit}`)}  ${styled('green', 'answers')}`);
    printUnit(one, bus, said);
  }
}

/** @throws FootbridgeError usage for addresses that are hardly the store's. */
async function scanNetwork(
  { config, files }: Setting,
  text: string,
  { port: port_text, yes, json }: ScanOptions,
  said: Said,
): Promise<void> {
  const { addresses, doubt } = addressRange(text);
  if (doubt !== null && yes !== true) {
    throw new FootbridgeError('usage', doubt, { hint: 'With --yes they are asked nevertheless.' });
  }
  const { port = modbus_port } = wholeNumber('port', port_text);
  const { hosts_a_request } = await import('../pairing/network-scan.ts');
  const found = await inPieces(addresses, hosts_a_request, async (hosts, first) => {
    type Answer = { devices: DeviceFound[] };
    const request = { hosts, port };
    const path = '/discovery/network';
    const answer = await askDaemon<Answer>(files.socket, 'POST', path, request);
    return { shown: `${first} of ${text}`, found: answer.devices };
  });
  if (json === true) return printJson({ network: text, devices: found });
  if (found.length === 0) printLine(`Nobody listens on port ${port} of ${text}.`);
  for (const device of found) printDevice(device, config.sources, said);
}

function printDevice(
  { host, port, source, units }: DeviceFound,
  sources: readonly SourceConfig[],
  said: Said,
): void {
  const where = styled('bold', `${host}:${port}`);
  if (source !== null) {
    printLine(`${where}  is source ${source}; who is behind it, and not paired:`);
    printLine(`  ${said('sensor', 'discover', '--bus', source)}`);
    return;
  }
  if (units.length === 0) {
    printLine(`${where}  ${styled('yellow', 'listens')}, and answers no Modbus question`);
    return;
  }
  printLine(`${where}  ${styled('green', 'answers')} Modbus`);
  const name = freeName(`modbus-${host.replaceAll('.', '-')}`, sources);
  const at = port === modbus_port ? [] : ['--port', `${port}`];
  printLine(`  ${said('source', 'add', name, '--kind', 'modbus-tcp', '--host', host, ...at)}`);
  printLine('  systemctl restart footbridge');
  for (const unit of units) printUnit(unit, name, said);
}

/** One way after the other, until somebody answers: a line has one speed. */
async function scanLine(
  { config, files, catalogue }: Setting,
  path: string,
  { units: range = '1-4', json }: ScanOptions,
  said: Said,
): Promise<void> {
  const units = unitsOf(range);
  const { lineWays } = await import('../pairing/line-probe.ts');
  const line = new LiveLine();
  let found: UnitFound[] = [];
  let way: LineWay | null = null;
  try {
    for (const next of lineWays(catalogue())) {
      line.show(`  ${wayText(next)}, units ${range}`);
      const request = { path, way: next, units };
      const url = '/discovery/line';
      const answer = await askDaemon<{ units: UnitFound[] }>(files.socket, 'POST', url, request);
      found = answer.units;
      way = next;
      if (found.length > 0) break;
    }
  } finally {
    line.end();
  }
  if (json === true) return printJson({ path, way: found.length > 0 ? way : null, units: found });
  if (way === null || found.length === 0) {
    printLine(`Nobody answers on ${path}, units ${range}, in any way that is known.`);
    printLine('Check power, both wires and the units’ numbers; A and B may be swapped.');
    return;
  }
  printLine(`${styled('bold', path)}  ${styled('green', 'answers')} as ${wayText(way)}`);
  const owner = config.sources.find((source) => 'path' in source && source.path === path);
  const name = owner?.name ?? freeName('line', config.sources);
  if (owner === undefined) {
    const kind =
      'profile' in way
        ? ['serial', '--path', path]
        : ['modbus-rtu', '--path', path, '--baud', `${way.baud}`, '--parity', way.parity];
    printLine(`  ${said('source', 'add', name, '--kind', ...kind)}`);
    printLine('  systemctl restart footbridge');
  }
  for (const unit of found) printUnit(unit, name, said, 'profile' in way ? 'sure' : 'possible');
}

function wayText(way: LineWay): string {
  if ('profile' in way) return way.profile;
  return `Modbus RTU at ${way.baud} baud, parity ${way.parity}`;
}

/** Registers have no signature: which profile fits is for a person to see by the numbers. */
function printUnit(
  { unit, candidates }: UnitFound,
  source: string,
  said: Said,
  sureness: 'sure' | 'possible' = 'possible',
): void {
  if (candidates.length === 0) printLine('  it has the registers of no profile');
  const style = sureness === 'sure' ? 'green' : 'yellow';
  for (const { profile, reads } of candidates) {
    printLine(`  ${styled(style, sureness)}: ${profile} reads ${reads}`);
    const named = unit === null ? [] : ['--unit', `${unit}`];
    const sensor_id = unit === null ? source : `${source}-${unit}`;
    const pair = ['pair', sensor_id, '--source', source, '--profile', profile, ...named];
    printLine(`  ${said('sensor', ...pair)}`);
  }
}

function freeName(wanted: string, sources: readonly SourceConfig[]): string {
  let name = wanted;
  for (let i = 2; sources.some((source) => source.name === name); i += 1) name = `${wanted}-${i}`;
  return name;
}

/** Piece by piece, so that who waits sees it go on and Ctrl-C ends it soon. */
async function inPieces<Asked, Found>(
  all: readonly Asked[],
  size: number,
  ask: (piece: Asked[], first: Asked) => Promise<{ shown: string; found: Found[] }>,
): Promise<Found[]> {
  const line = new LiveLine();
  const found: Found[] = [];
  try {
    for (let i = 0; i < all.length; i += size) {
      const piece = all.slice(i, i + size);
      const answer = await ask(piece, piece[0] as Asked);
      found.push(...answer.found);
      line.show(`  ${answer.shown}: ${found.length} found`);
    }
    return found;
  } finally {
    line.end();
  }
}

/** @throws FootbridgeError usage */
function unitsOf(range: string): number[] {
  const [, from = '', to = from] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(range) ?? [];
  const [first, last] = [Number(from), Number(to)];
  if (from !== '' && first >= 1 && last <= 247 && first <= last) {
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  }
  throw new FootbridgeError('usage', `--units is "${range}"; it takes 1 to 247, such as 1-20`);
}
