/**
 * Real frames of every device, damaged at random, through every codec, mapping and meter. Law:
 * nothing is thrown, nothing stalls, and each payload is readings, ignored or quarantined.
 */
import { subjects } from '../../bench/device-frames.ts';
import { turn } from '../../gateway/meters/direction.ts';
import { newMeterState, step } from '../../gateway/meters/meter.ts';
import { decode } from '../../gateway/profiles/decode.ts';
import { eachDevice } from '../../gateway/profiles/measure.ts';
import { runScripts } from '../../gateway/profiles/messages.ts';
import { ScriptSandbox } from '../../gateway/profiles/script-sandbox.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';

const stall_ms = 50;
const received_at = Date.UTC(2026, 2, 1, 12);

export interface PayloadResult {
  readonly seed: number;
  readonly runs: number;
  readonly records: number;
  readonly ignored: number;
  readonly faults: number;
  /** Payloads at which something was thrown, or a reading was no whole number of people. */
  readonly crashes: number;
  readonly stalls: number;
  readonly slowest_ms: number;
  /** The first payload that broke the law, in hex, with its profile. */
  readonly first: string | null;
}

export async function torturePayloads(runs: number, seed: number): Promise<PayloadResult> {
  const random = seededRandom(seed);
  const sandbox = new ScriptSandbox(systemClock);
  const all = subjects();
  const frames = all.flatMap(({ profile, frames: own }) =>
    own.map((each) => ({ profile, ...each })),
  );
  const told = { records: 0, ignored: 0, fault: 0 };
  let [crashes, stalls, slowest] = [0, 0, 0];
  let first: string | null = null;
  for (let i = 0; i < runs; i += 1) {
    const frame = frames[Math.floor(random() * frames.length)];
    if (frame === undefined) break;
    const { profile, port } = frame;
    const bytes = damaged(frame.bytes, frames[Math.floor(random() * frames.length)]?.bytes, random);
    // In a thread of its own, so its time stalls nobody.
    const scripted =
      profile.codec.kind === 'script' ? await runScripts(profile, bytes, sandbox.run, port) : {};
    const options = { ...scripted, ...(port === undefined ? {} : { port }) };
    const once = () => {
      const start = systemClock.monotonic();
      const decoded = decode(profile, bytes, options);
      for (const device of eachDevice(decoded)) {
        if (device.outcome !== 'records') continue;
        for (const record of device.records) {
          const times = { received_at, report_interval_ms: 60_000 };
          const { readings } = step(newMeterState, 'door', turn(record, 'as-is'), times);
          for (const reading of readings) {
            if (reading.kind === 'count' && !(reading.in >= 0 && reading.out >= 0)) {
              throw new Error(`${reading.in} in, ${reading.out} out`);
            }
          }
        }
      }
      return { decoded, ms: systemClock.monotonic() - start };
    };
    try {
      const { decoded, ms } = once();
      told[decoded.outcome === 'several' ? 'records' : decoded.outcome] += 1;
      // A machine that stood still does not stand still again at the same payload.
      const real = ms > stall_ms ? Math.min(ms, once().ms, once().ms) : ms;
      slowest = Math.max(slowest, real);
      if (real <= stall_ms) continue;
      stalls += 1;
    } catch {
      crashes += 1;
    }
    first ??= `${profile.name} ${Buffer.from(bytes).toString('hex')}`;
  }
  await sandbox.close();
  const { records, ignored, fault: faults } = told;
  const slowest_ms = Number(slowest.toFixed(1));
  return { seed, runs, records, ignored, faults, crashes, stalls, slowest_ms, first };
}

const poison = ['null', '-1', '1e309', '""', '[]', '{}', '"__proto__"', '9007199254740993', '0.5'];

/** One to four damages: bits, bytes, cuts, doubled and foreign parts, values of another kind. */
function damaged(
  whole: Uint8Array,
  other: Uint8Array | undefined,
  random: () => number,
): Uint8Array {
  let bytes = Buffer.from(whole);
  const at = () => Math.floor(random() * (bytes.length + 1));
  const damages = 1 + Math.floor(random() * 4);
  for (let i = 0; i < damages; i += 1) {
    const place = at();
    const [from, to] = [at(), at()].sort((a, b) => a - b) as [number, number];
    switch (Math.floor(random() * 7)) {
      case 0:
        if (place < bytes.length)
          bytes.writeUInt8(bytes.readUInt8(place) ^ (1 << (place % 8)), place);
        break;
      case 1:
        bytes = bytes.subarray(0, place);
        break;
      case 2:
        bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, place), other ?? bytes, bytes.subarray(place)]);
        break;
      case 5:
        bytes = Buffer.concat([
          bytes.subarray(0, from),
          noise(to - from, random),
          bytes.subarray(to),
        ]);
        break;
      default:
        bytes = replacedValue(bytes, random);
    }
  }
  return bytes;
}

function noise(length: number, random: () => number): Uint8Array {
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

/** Another kind of value in the place of one of the numbers and texts. */
function replacedValue(bytes: Buffer, random: () => number): Buffer<ArrayBuffer> {
  const text = bytes.toString('latin1');
  const values = [...text.matchAll(/-?\d+(?:\.\d+)?|"[^"]*"/g)];
  const value = values[Math.floor(random() * values.length)];
  const instead = poison[Math.floor(random() * poison.length)] ?? '';
  if (value === undefined) return Buffer.from(bytes);
  const end = value.index + value[0].length;
  return Buffer.from(text.slice(0, value.index) + instead + text.slice(end), 'latin1');
}
