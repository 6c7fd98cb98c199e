/** Which profiles can read what an unknown device says, the most telling one first. Pure. */
import type { Catalogue } from '../profiles/catalogue.ts';
import { decode } from '../profiles/decode.ts';
import { type DeviceDecoded, eachDevice, type RunScript } from '../profiles/measure.ts';
import { runScripts } from '../profiles/messages.ts';
import type { Profile } from '../profiles/profile.ts';

export interface Candidate {
  readonly profile: string;
  readonly title: string;
  /** What it reads in the last frame that it can read, for a person to compare with the device. */
  readonly reads: string;
  /** Names by which the devices call themselves inside their messages. */
  readonly devices: readonly string[];
  readonly score: number;
}

export interface Recognised {
  readonly candidates: readonly Candidate[];
  /**
   * `sure`: one profile alone reads it. `likely`: the first reads more of it than any other.
   * `unsure`: several read it equally well. `unknown`: none does.
   */
  readonly sureness: 'sure' | 'likely' | 'unsure' | 'unknown';
}

type Records = Extract<DeviceDecoded, { outcome: 'records' }>;

/** @param transports those of the source's kind. */
export async function recognise(
  frames: readonly Uint8Array[],
  transports: readonly Profile['transport'][],
  catalogue: Catalogue,
  runScript: RunScript,
): Promise<Recognised> {
  const possible = [...catalogue.values()].filter(({ transport }) =>
    transports.includes(transport),
  );
  const tried = await Promise.all(possible.map((each) => candidateOf(each, frames, runScript)));
  const candidates = tried
    .filter((candidate) => candidate !== null)
    .sort((a, b) => b.score - a.score || a.profile.localeCompare(b.profile));
  return { candidates, sureness: surenessOf(candidates) };
}

async function candidateOf(
  profile: Profile,
  frames: readonly Uint8Array[],
  runScript: RunScript,
): Promise<Candidate | null> {
  const decoded = await Promise.all(
    frames.map(async (bytes) =>
      decode(profile, bytes, await runScripts(profile, bytes, runScript)),
    ),
  );
  const read = decoded
    .flatMap(eachDevice)
    .filter((each): each is Records => each.outcome === 'records')
    .filter(({ records }) => records.length > 0);
  const last = read.at(-1);
  if (last === undefined) return null;
  const devices = new Set(read.flatMap(({ device }) => device ?? []));
  return {
    profile: profile.name,
    title: profile.title,
    reads: readsText(last),
    devices: [...devices],
    score: score(profile, last, devices.size > 0) + read.length / (frames.length + 1),
  };
}

/**
 * Everything that had to fit: numbers, lines, times, a key, a name. A general profile needs little;
 * a device that does not say the name it is known to say is hardly that device.
 */
function score(profile: Profile, { records, refused }: Records, isNamed: boolean): number {
  const [first] = records;
  if (first === undefined) return 0;
  const isNameless = profile.mapping.device !== undefined && !isNamed;
  const fits = [
    first.element !== '',
    first.device.from !== null,
    first.device.to !== null,
    first.dedupe_key !== null,
    first.reset_marker !== null,
    isNamed,
  ];
  const found = first.measures.length + fits.filter((each) => each).length;
  return found - 2 * refused.length - (isNameless ? 1 : 0);
}

function readsText({ records }: Records): string {
  const texts = records.map(({ element, measures }) => {
    const numbers = measures
      .filter(({ role }) => role === 'primary')
      .map(({ target, value }) => `${target} ${value}`);
    return `${element === '' ? '' : `${element}: `}${numbers.join(', ')}`;
  });
  const shown = texts.slice(0, 3).join('; ');
  return texts.length > 3 ? `${shown}; …` : shown;
}

function surenessOf([first, second]: readonly Candidate[]): Recognised['sureness'] {
  if (first === undefined) return 'unknown';
  if (second === undefined) return 'sure';
  return Math.floor(first.score) > Math.floor(second.score) ? 'likely' : 'unsure';
}
