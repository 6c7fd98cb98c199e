/** `npm run torture -- images`: one world after another on one HQ, each by a seed of its own. */
import type { Hq } from '../support/hq.ts';
import { ImageHq } from './image-hq.ts';
import { breaches, tortureImages, type Verdict } from './images.ts';
import type { Asked, Tortured } from './tortured.ts';

const steps = 80;
const told_every = 100;

export interface ImagesResult {
  readonly seed: number;
  readonly worlds: number;
  /** Acknowledged messages. */
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  /** Gone with a disk or a database that was put back. */
  readonly gone: number;
  /** Readings that were added to others at the quota. */
  readonly coalesced: number;
  /** Worlds that broke the law, by their seed, and how. */
  readonly broken: readonly { readonly seed: number; readonly how: readonly string[] }[];
}

/** @param tell how far it is; with one world, each of its steps. */
export async function tortureWorlds(
  hq: Hq,
  { runs, seed }: Asked,
  tell: (text: string) => void,
): Promise<ImagesResult> {
  const verdicts: Verdict[] = [];
  const broken: { seed: number; how: readonly string[] }[] = [];
  for (let world = 0; world < runs; world += 1) {
    const tellStep = runs === 1 ? tell : () => {};
    const verdict = await tortureImages(hq, { seed: seed + world, steps }, tellStep);
    const how = breaches(verdict);
    if (how.length > 0) {
      broken.push({ seed: seed + world, how });
      tell(`--seed ${seed + world} --runs 1: ${how.join('; ')}`);
    }
    verdicts.push(verdict);
    if ((world + 1) % told_every === 0) tell(`${world + 1} of ${runs}`);
  }
  const sum = (of: (verdict: Verdict) => number) => verdicts.reduce((n, one) => n + of(one), 0);
  return {
    ...{ seed, worlds: runs, rows: sum(({ messages }) => messages), broken },
    lost: sum(({ lost }) => lost.length),
    doubled: sum(({ doubled }) => doubled.length),
    gone: sum(({ missing, lost }) => missing - lost.length),
    coalesced: sum(({ coalesced }) => coalesced),
  };
}

export async function imagesTorture(asked: Asked, tell: (text: string) => void): Promise<Tortured> {
  const hq = await ImageHq.open();
  try {
    const result = await tortureWorlds(hq, asked, tell);
    const { worlds, rows, lost, doubled, gone, coalesced, broken } = result;
    return {
      document: { ...result },
      isHeld: broken.length === 0,
      lines: [
        `${worlds} worlds, ${rows} messages: ${lost} lost, ${doubled} doubled, ` +
          `${gone} gone with what was put back, ${coalesced} added to others at the quota; ` +
          `${broken.length} worlds broke the law`,
      ],
    };
  } finally {
    await hq.close();
  }
}
