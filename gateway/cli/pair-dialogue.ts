/** What `sensor pair` asks on a terminal: which of the devices that are heard, and under which name. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { sensorIdSchema } from '../../shared/wire/names.ts';
import type { Found } from '../pairing/discovery.ts';
import { listenFor } from './discover-command.ts';
import type { PairOptions } from './pair-command.ts';
import type { Setting } from './setting.ts';
import { ask, choose } from './terminal.ts';

export interface Chosen {
  readonly sensor_id: string;
  readonly options: Partial<PairOptions>;
}

const wait_s = 60;

/**
 * @param named the sensor's id, where the person gave it.
 * @throws FootbridgeError usage when nobody is heard that a profile can read.
 */
export async function choosePairing(named: string | undefined, setting: Setting): Promise<Chosen> {
  process.stderr.write('Listening for devices that are not paired …\n');
  const heard = await listenFor(setting.files.socket, wait_s);
  const devices = heard.filter(({ options }) => options !== null);
  if (devices.length === 0) {
    const detail = `${heard.length} devices heard that are not paired, none that a profile reads`;
    const hint = 'Check that the device is on; `footbridge sensor discover` shows what is heard.';
    throw new FootbridgeError('usage', detail, { hint });
  }
  const device = devices[await choose('Which device', devices.map(deviceText))] ?? devices[0];
  if (device === undefined) throw new Error('no device was chosen');
  const { source, address, device: own_name, candidates, options = [] } = device;
  const readings = candidates.map(
    ({ profile, title, reads }) => `${profile}: ${reads}  (${title})`,
  );
  const best = candidates.length > 1 ? await choose('What it says now is', readings) : 0;
  const sensor_id =
    named ?? (await ask('Name for programs', device.sensor_id, (text) => faultOf(text)));
  const name = await ask('Name for people', sensor_id);
  const profile = candidates[best]?.profile ?? '';
  const where = options?.includes('--path') === true ? { path: address } : { topic: address };
  const inside = own_name === null ? {} : { device: own_name };
  return { sensor_id, options: { source, profile, name, ...where, ...inside } };
}

function deviceText({ source, address, device, sureness, candidates }: Found): string {
  const named = device === null ? '' : `, device ${device}`;
  return `${source} ${address}${named}  ${sureness}: ${candidates[0]?.profile}`;
}

function faultOf(text: string): string | null {
  const parsed = sensorIdSchema.max(50).safeParse(text);
  return parsed.success ? null : (parsed.error.issues[0]?.message ?? 'is no name');
}
