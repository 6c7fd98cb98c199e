/**
 * Disk images put back, backups of HQ put back, and a buffer at its quota, in any order that a seed
 * gives, on a line that loses, delays and repeats. Law: no message is at HQ twice, and one that is not
 * there was acknowledged after the image that was put back, and HQ did not have it then.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/runtime/clock.ts';
import { seededRandom } from '../../shared/runtime/seeded-random.ts';
import type { Hq } from '../support/hq.ts';
import { ImageGateway, type MessageName } from './image-gateway.ts';
import { type Backup, ImageHq } from './image-hq.ts';
import { type Fate, ImageUplink } from './image-uplink.ts';

const hour_ms = 3_600_000;
/** Why a reading of a running total is not at HQ. */
const total_reasons = [
  'lost_with_image',
  'counted_by_lost_life',
  'reading_conflict',
  'forgotten_by_hq',
];
/** HQ has partitions of the past months. */
const history_ms = 20 * 24 * hour_ms;

class ImageWorld {
  readonly gateway: ImageGateway;
  readonly uplink: ImageUplink;
  readonly hq: ImageHq;
  /** What neither the disk nor HQ had after one of them was put back. */
  readonly gone = new Set<MessageName>();
  /** Broken frames that may be gone with an image. */
  noise_gone = 0;
  readonly #folder: string;
  readonly #noise_of = new Map<number, number>();
  /** Images that the present disk goes back to, and those that each of them goes back to. */
  #line: readonly number[] = [];
  readonly #line_of = new Map<number, readonly number[]>();
  #isAside = false;

  private constructor(folder: string, gateway: ImageGateway, hq: ImageHq) {
    this.#folder = folder;
    this.gateway = gateway;
    this.hq = hq;
    this.uplink = new ImageUplink(gateway, hq);
    this.uplink.begin();
  }

  /** @param quota_bytes beyond an empty file. */
  static async open(hq: Hq, quota_bytes = Number.POSITIVE_INFINITY): Promise<ImageWorld> {
    const start = Math.floor((systemClock.now() - history_ms) / hour_ms) * hour_ms;
    const folder = mkdtempSync(join(tmpdir(), 'footbridge-images-'));
    const gateway = new ImageGateway(folder, start, { quota_bytes, rows_kept: 6 });
    return new ImageWorld(folder, gateway, await ImageHq.at(hq, start));
  }

  /** So many minutes with people, each committed. */
  count(minutes: number, people = 1): void {
    for (let minute = 0; minute < minutes; minute += 1) {
      this.gateway.count(people);
      this.gateway.commit();
    }
  }

  hearNoise(): void {
    this.gateway.makeNoise();
    this.gateway.commit();
  }

  takeImage(): number {
    const image = this.gateway.takeImage();
    this.#noise_of.set(image, this.gateway.noise);
    this.#line = [...this.#line, image];
    this.#line_of.set(image, this.#line);
    return image;
  }

  async putBack(image: number): Promise<void> {
    if (!this.#line.includes(image)) this.#isAside = true;
    this.#line = this.#line_of.get(image) ?? [];
    this.gateway.restore(image);
    this.uplink.loseDisk();
    this.uplink.begin();
    await this.#noteGone();
    this.noise_gone += this.gateway.noise - (this.#noise_of.get(image) ?? 0);
  }

  async restoreHq(backup: Backup): Promise<void> {
    await this.hq.restore(backup);
    await this.#noteGone();
  }

  restart(): void {
    this.gateway.kill();
    this.gateway.start();
    this.uplink.begin();
  }

  async #noteGone(): Promise<void> {
    const kept = this.gateway.kept();
    const counted = await this.hq.counted();
    for (const name of this.gateway.acknowledged) {
      if (!kept.has(name) && !counted.has(name)) this.gone.add(name);
    }
  }

  async judge(): Promise<Verdict> {
    await this.uplink.finish();
    this.gateway.tellTotal(20);
    const left = await this.uplink.finish();
    const counted = await this.hq.counted();
    const { acknowledged } = this.gateway;
    const lost = [...acknowledged].filter((name) => !counted.has(name) && !this.gone.has(name));
    const doubled = [...counted].filter(([, times]) => times > 1).map(([name]) => name);
    const missing = [...acknowledged].filter((name) => !counted.has(name)).length;
    const ledger = await this.hq.ledger();
    return {
      ...{ messages: acknowledged.size, left, lost, doubled, missing, ledger },
      coalesced: this.gateway.log.stats().coalesced,
      walked: this.gateway.walked,
      total: await this.hq.total(),
      outlived: this.#isAside ? Number.POSITIVE_INFINITY : this.uplink.outlived_people,
      noise: this.gateway.noise,
      noise_gone: this.noise_gone,
    };
  }

  close(): void {
    this.gateway.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

export interface Verdict {
  /** Acknowledged. */
  readonly messages: number;
  readonly left: number;
  readonly lost: readonly MessageName[];
  readonly doubled: readonly MessageName[];
  /** Not at HQ, gone ones and lost ones. */
  readonly missing: number;
  readonly coalesced: number;
  readonly walked: number;
  /** People of the running total at HQ. */
  readonly total: number;
  /**
   * Those of them whom a request brought that outlived its disk: what a total has counted since is one
   * number, and nobody can tell what of it such a request holds. Without bound where an image was put
   * back that the disk before did not come from: both lives hold parts of one total.
   */
  readonly outlived: number;
  readonly noise: number;
  readonly noise_gone: number;
  readonly ledger: ReadonlyMap<string, number>;
}

/** What the law says against a verdict; empty: it holds. */
export function breaches(verdict: Verdict): string[] {
  const { left, lost, doubled, walked, total, outlived, noise, noise_gone, ledger } = verdict;
  const noted = ledger.get('value_missing') ?? 0;
  // What a life counted whose disk is gone stands in one of these, where no catching up can tell it.
  const isNoted = [...ledger.keys()].some((reason) => total_reasons.includes(reason));
  const some = (what: string, names: readonly MessageName[]) =>
    names.length === 0 ? [] : [`${names.length} ${what}: ${names.slice(0, 8).join(', ')}`];
  return [
    ...(left > 0 ? [`${left} left`] : []),
    // HQ lost them when it was put back, and the store had deleted them before it heard.
    ...some('lost', lost.length > (ledger.get('forgotten_by_hq') ?? 0) ? lost : []),
    ...some('doubled', doubled),
    ...(total > walked + outlived ? [`HQ has ${total} of ${walked} people of the total`] : []),
    ...(total < walked && !isNoted ? [`HQ lacks ${walked - total} people of the total`] : []),
    ...(noted > noise ? [`${noted} of ${noise} broken frames in the ledger`] : []),
    ...(noted < noise - noise_gone
      ? [`only ${noted} of ${noise} broken frames in the ledger`]
      : []),
  ];
}

/** One world with so many steps. @param tell each step, for a replay. */
export async function tortureImages(
  hq: Hq,
  { seed, steps }: { seed: number; steps: number },
  tell: (step: string) => void = () => {},
): Promise<Verdict> {
  const random = seededRandom(seed);
  const quota_bytes = random() < 0.6 ? 8_000 + random() * 12_000 : undefined;
  const hasBackups = random() < 0.4;
  const world = await ImageWorld.open(hq, quota_bytes);
  try {
    const happenings = happeningsIn(world, { random, hasBackups });
    const weights = happenings.reduce((sum, { weight }) => sum + weight, 0);
    for (let step = 0; step < steps; step += 1) {
      let left = random() * weights;
      const drawn = happenings.find(({ weight }) => {
        left -= weight;
        return left < 0;
      });
      await drawn?.happen();
      const { buffered, last_sequence } = world.gateway.log.stats();
      tell(`${step} ${drawn?.name}: ${buffered} of ${last_sequence} buffered`);
    }
    return await world.judge();
  } finally {
    world.close();
  }
}

interface Happening {
  readonly name: string;
  readonly weight: number;
  readonly happen: () => unknown;
}

const fates: readonly Fate[] = ['answered', 'answered', 'answered', 'unanswered', 'late', 'lost'];

function happeningsIn(
  world: ImageWorld,
  { random, hasBackups }: { random: () => number; hasBackups: boolean },
): readonly Happening[] {
  const { gateway, uplink } = world;
  const images: number[] = [];
  const backups: Backup[] = [];
  let isAway = false;
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(from: readonly T[]) => from[below(from.length)];
  const fate = (): Fate => (isAway ? 'lost' : (pick(fates) ?? 'lost'));
  const of = (name: string, weight: number, happen: Happening['happen']) => {
    return { name, weight, happen };
  };
  return [
    of('count', 10, () => world.count(1 + below(8), below(4))),
    of('nobody for a while', 0.5, () => gateway.rest(below(40))),
    of('live batch', 4, () => uplink.send('live', fate())),
    of('backlog batch', 4, () => uplink.send('backlog', fate())),
    of('heartbeat', 3, () => uplink.beat(fate())),
    of('heartbeat, answer on its way', 1, () => (isAway ? 0 : uplink.beat('answered later'))),
    of('answer arrives', 1, () => uplink.hear()),
    of('late requests arrive', 1, () => uplink.deliverLate(random)),
    of('HQ away or back', 1, () => {
      isAway = !isAway;
    }),
    of('broken frame', 1, () => world.hearNoise()),
    of('restart', 0.7, () => world.restart()),
    of('image taken', 1, () => images.push(world.takeImage())),
    of('image put back', 0.7, () => {
      const image = pick(images.slice(-3));
      return image === undefined ? 0 : world.putBack(image);
    }),
    of('HQ backed up', hasBackups ? 0.5 : 0, async () => backups.push(await world.hq.backUp())),
    of('HQ put back', hasBackups ? 0.3 : 0, () => {
      const backup = pick(backups.slice(-2));
      return backup === undefined ? 0 : world.restoreHq(backup);
    }),
  ];
}
