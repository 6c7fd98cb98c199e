/** Which profiles would read what a sensor's own profile could not. */
import type { QuarantineRow } from '../buffer/entry.ts';
import { transportsOf } from '../pairing/polling.ts';
import type { Catalogue } from '../profiles/catalogue.ts';
import { decode } from '../profiles/decode.ts';
import { eachDevice, type RunScript } from '../profiles/measure.ts';
import { runScripts } from '../profiles/messages.ts';
import type { Profile } from '../profiles/profile.ts';
import type { SensorStatus } from '../status.ts';
import type { FitEvidence } from './evidence.ts';

/** Reasons that a decoder gives; others speak of the line or of the pairing. */
const misread = new Set(['malformed', 'value_missing', 'value_invalid', 'script_failed']);

export async function fitEvidence(options: {
  sensors: readonly SensorStatus[];
  rows: readonly QuarantineRow[];
  catalogue: Catalogue;
  runScript: RunScript;
}): Promise<FitEvidence[]> {
  const { sensors, rows, catalogue, runScript } = options;
  const fits: FitEvidence[] = [];
  for (const sensor of sensors) {
    const own = catalogue.get(sensor.profile);
    const row = rows.find((each) => isMisreadOf(sensor, each));
    if (own === undefined || row === undefined) continue;
    const bytes = Buffer.from(row.bytes, 'base64');
    const profiles: string[] = [];
    for (const profile of catalogue.values()) {
      if (profile === own || !isSpoken(profile, own)) continue;
      if (await reads(profile, bytes, runScript)) profiles.push(profile.name);
    }
    const reason = `${row.reason}: ${row.detail}`;
    fits.push({ sensor_id: sensor.sensor_id, reason, profiles });
  }
  return fits;
}

/** Newer than what was last understood: an old slip is no misfit. */
function isMisreadOf({ source, address, last_seen_at }: SensorStatus, row: QuarantineRow): boolean {
  const isIts = row.source === source && row.address === address;
  return isIts && misread.has(row.reason) && row.received_at > (last_seen_at ?? 0);
}

/** A message is the same whether MQTT or HTTP brought it. */
function isSpoken({ transport }: Profile, own: Profile): boolean {
  return Object.values(transportsOf).some((spoken: readonly string[]) => {
    return spoken.includes(transport) && spoken.includes(own.transport);
  });
}

async function reads(profile: Profile, bytes: Uint8Array, runScript: RunScript): Promise<boolean> {
  const decoded = decode(profile, bytes, await runScripts(profile, bytes, runScript));
  return eachDevice(decoded).every(
    (each) => each.outcome === 'records' && each.records.length > 0 && each.refused.length === 0,
  );
}
