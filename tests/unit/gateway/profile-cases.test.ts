import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { type Trial, tryFrames } from '../../../gateway/cli/profile-trial.ts';
import { loadCatalogue, profileNamed } from '../../../gateway/profiles/catalogue.ts';
import { decode, decodedValues } from '../../../gateway/profiles/decode.ts';
import { type DeviceDecoded, eachDevice } from '../../../gateway/profiles/measure.ts';
import type { Profile } from '../../../gateway/profiles/profile.ts';
import { Framer } from '../../../gateway/sources/framer.ts';

const root = new URL('../../../../', import.meta.url);
const catalogue = loadCatalogue([fileURLToPath(new URL('gateway/profiles/built-in', root))]);
const cases = fileURLToPath(new URL('tests/cases', root));

interface Case {
  readonly profile: string;
  readonly port?: number;
  readonly payload: { readonly json?: unknown; readonly hex?: string; readonly text?: string };
  readonly expected: {
    readonly records?: unknown[];
    readonly ignored?: string;
    readonly fault?: string;
    readonly health?: object;
    readonly values?: object;
  };
}

/** Frames of real devices, each with the public source it comes from and what it must mean. */
const frames = readdirSync(cases, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\/frame-[^/]+\.json$/.test(name))
  .map((name): [string, Case] => [name, JSON.parse(readFileSync(`${cases}/${name}`, 'utf8'))]);

function sentBytes({ payload }: Case): Uint8Array {
  const text = payload.text ?? JSON.stringify(payload.json);
  return payload.hex === undefined ? Buffer.from(text) : Buffer.from(payload.hex, 'hex');
}

/** What a source hands on. */
function bytesOf(profile: Profile, sent: Uint8Array): Uint8Array {
  if (profile.modbus !== undefined) return sent.subarray(3);
  if (profile.serial === undefined) return sent;
  const [frame] = new Framer(profile.serial.framing).push(sent);
  return frame?.bytes ?? sent;
}

/** In the words of a case: the numbers with their semantics, by line or zone. */
function told(decoded: DeviceDecoded | Trial) {
  const said = 'health' in decoded ? decoded.health : null;
  const health = said === null || said === undefined ? {} : { health: said };
  if (decoded.outcome !== 'records' || !('records' in decoded)) {
    return { [decoded.outcome]: decoded.reason, ...health };
  }
  const records = decoded.records.map(({ element, device, measures }) => {
    const times = Object.entries(device).filter(([, time]) => time !== null);
    const numbers = measures.map(({ target, value, semantics, role }) => {
      return [role === 'primary' ? target : `${target} (${role})`, `${value} ${semantics}`];
    });
    return { element, ...Object.fromEntries(times), ...Object.fromEntries(numbers) };
  });
  return { records, ...health };
}

test.each(frames)('%s means what its device means', (_name, each) => {
  const profile = profileNamed(catalogue, each.profile);
  const bytes = bytesOf(profile, sentBytes(each));
  const options = each.port === undefined ? {} : { port: each.port };
  const { values, ...expected } = each.expected;
  expect(eachDevice(decode(profile, bytes, options)).map(told)).toEqual([expected]);
  if (values !== undefined) expect(decodedValues(profile, bytes, options)[0]).toMatchObject(values);
});

/** Beams that cannot tell in from out are turned as they are mounted, which decode does not know. */
const directed = frames.filter(([, each]) => !JSON.stringify(each.expected).includes('passages'));

test.each(directed)('`profile test` tells of %s what its device means', async (_name, each) => {
  const profile = profileNamed(catalogue, each.profile);
  const [trial] = await tryFrames(profile, [sentBytes(each)], {
    runScript: () => Promise.reject(new Error('no script is expected')),
    direction: 'as-is',
    port: each.port,
    received_at: Date.parse('2026-03-01T12:00:00Z'),
  });
  const { values: _values, ...expected } = each.expected;
  expect(trial && told(trial)).toEqual(expected);
});

test('there are frames for every family of devices', () => {
  expect(frames.length).toBeGreaterThan(35);
});
