/**
 * Frames per second that each codec turns into measures on one core, against `JSON.parse` of the same
 * bytes. For codecs that do not read JSON the limit is `JSON.parse` of the values they give, written
 * as JSON.
 */
import { decode, decodedValues } from '../gateway/profiles/decode.ts';
import type { RunScript } from '../gateway/profiles/measure.ts';
import { runScripts } from '../gateway/profiles/messages.ts';
import type { Profile } from '../gateway/profiles/profile.ts';
import { ScriptSandbox } from '../gateway/profiles/script-sandbox.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { type Subject, subjects } from './device-frames.ts';
import { median } from './figures.ts';
import type { Measured } from './main.ts';

const rounds = 5;
const round_ms = 150;

export async function measure(): Promise<Measured> {
  const sandbox = new ScriptSandbox(systemClock);
  const codecs: Awaited<ReturnType<typeof compare>>[] = [];
  for (const subject of subjects()) codecs.push(await compare(subject, sandbox.run));
  await sandbox.close();
  const lines = codecs.map(
    ({ codec, profile, frames_per_s, ratio_to_json_parse }) =>
      `${codec.padEnd(9)} ${profile.padEnd(24)} ${String(frames_per_s).padStart(9)} frames/s  ` +
      `${(ratio_to_json_parse * 100).toFixed(0)} % of JSON.parse`,
  );
  return { lines, document: { codecs } };
}

async function compare({ profile, frames }: Subject, runScript: RunScript) {
  const options = await Promise.all(
    frames.map(async ({ bytes, port }) => ({
      ...(await runScripts(profile, bytes, runScript, port)),
      ...(port === undefined ? {} : { port }),
    })),
  );
  const json = profile.codec.kind === 'json';
  const written = frames.map(({ bytes }, i) =>
    json ? bytes : Buffer.from(JSON.stringify(decodable(profile, bytes, options[i]))),
  );
  const ours: number[] = [];
  const limits: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    limits.push(
      perSecond(() => {
        for (const bytes of written) JSON.parse(bytes.toString());
      }),
    );
    const [first] = frames;
    if (profile.codec.kind !== 'script' || first === undefined) {
      ours.push(
        perSecond(() => {
          for (const [i, { bytes }] of frames.entries()) decode(profile, bytes, options[i]);
        }),
      );
      continue;
    }
    ours.push(
      await perSecondInFlight(async () => {
        decode(profile, first.bytes, await runScripts(profile, first.bytes, runScript));
      }),
    );
  }
  const [own, limit] = [median(ours) * frames.length, median(limits) * frames.length];
  return {
    codec: profile.codec.kind,
    profile: profile.name,
    frames_per_s: Math.round(own),
    ratio_to_json_parse: Number((own / limit).toFixed(3)),
  };
}

function decodable(profile: Profile, bytes: Uint8Array, options: Parameters<typeof decode>[2]) {
  return decodedValues(profile, bytes, options)[0] ?? {};
}

/** CPU time of this process, ms: what a core gives, whoever else wants the machine. */
function cpu_ms(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Runs for a while; calls a second of CPU time. */
function perSecond(run: () => void): number {
  const start = cpu_ms();
  let calls = 0;
  let now = start;
  while (now - start < round_ms) {
    for (let i = 0; i < 20; i += 1) run();
    calls += 20;
    now = cpu_ms();
  }
  return (calls * 1000) / (now - start);
}

/** The same for what another thread does, with some calls always on their way there. */
async function perSecondInFlight(run: () => Promise<void>): Promise<number> {
  const start = cpu_ms();
  let calls = 0;
  while (cpu_ms() - start < round_ms) {
    await Promise.all(Array.from({ length: 50 }, run));
    calls += 50;
  }
  return (calls * 1000) / (cpu_ms() - start);
}
