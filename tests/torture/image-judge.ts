/**
 * The law where images of a gateway's disk were put back, message by message: HQ has each once, or it was
 * on a lost disk that had not delivered it, and no sensor sent it again. HQ's ledger says how many readings went
 * with lost disks, exactly, as far as HQ was told of them; a running total is what the counter counted, but
 * for readings that stand in quarantine because a lost life has counted part of them.
 */
import { systemClock } from '../../shared/runtime/clock.ts';
import type { Quarantined } from './buffer-contents.ts';
import type { DiskImages } from './disk-images.ts';
import { type HqContents, hqContents, isSettled } from './hq-contents.ts';
import { type MessageName, messagesIn } from './message-name.ts';
import { type DeltaSensor, peopleIn } from './sensors.ts';
import type { StoreUnderTorture } from './store-under-torture.ts';

export interface ImageTruth {
  readonly sensors: readonly DeltaSensor[];
  /** Whose readings HQ refuses. */
  readonly past: DeltaSensor;
  /** Running totals. */
  readonly totals: readonly { readonly sensor_id: string; readonly walked: number }[];
  readonly images: DiskImages;
}

export interface ImageVerdict {
  /** Messages that the sensors were acknowledged. */
  readonly rows: number;
  readonly lost: number;
  readonly doubled: number;
  /** Readings in HQ's ledger that differ from what went with disks or was refused. */
  readonly misstated: number;
  readonly quarantined: number;
  readonly buffered: number;
  /** Readings that HQ's ledger has as gone with a lost disk. */
  readonly with_image: number;
  /** Messages that went with a lost disk before HQ heard how far its log had come. */
  readonly untold: number;
  /** Messages that were on a lost disk and that a sensor sent again. */
  readonly repeated: number;
  /** People in quarantine because nobody can tell how many of them a lost life has counted. */
  readonly unclear: number;
  /** Readings that were added to others at the quota. */
  readonly coalesced: number;
}

/** Looked at twice a second: by looks, so that a machine that stood still is no fault. */
const settle_looks_max = 360;
/** Looks without any change, after which none is waited for. */
const same_looks_max = 40;

export async function judgeImages(
  store: StoreUnderTorture,
  truth: ImageTruth,
  tell: (text: string) => void,
): Promise<ImageVerdict> {
  let same_looks = 0;
  let seen = '';
  for (let looks = 1; ; looks += 1) {
    const buffer = (await store.status())?.buffer;
    const buffered = buffer === undefined ? Number.NaN : buffer.buffered + buffer.undated;
    const { quarantined, coalesced: present } = await truth.images.present();
    const coalesced = truth.images.coalesced + present;
    const found = compare(await hqContents(store), store, { ...truth, quarantined });
    const { breaches, ...counts } = found;
    const verdict = { ...counts, buffered, coalesced };
    const now = JSON.stringify([verdict, breaches]);
    same_looks = now === seen ? same_looks + 1 : 0;
    seen = now;
    if (breaches.length === 0 && buffered === 0) return verdict;
    if (looks > settle_looks_max || same_looks > same_looks_max) {
      for (const breach of breaches) tell(breach);
      return verdict;
    }
    await systemClock.sleep(500);
  }
}

type Compared = Omit<ImageVerdict, 'buffered' | 'coalesced'> & { readonly breaches: string[] };

/** With what is in quarantine on the disk that is left. */
type Truth = ImageTruth & { readonly quarantined: readonly Quarantined[] };

function compare(hq: HqContents, store: StoreUnderTorture, truth: Truth): Compared {
  const messages = compareMessages(hq, truth);
  const ledger = compareLedger(hq, store, truth.images);
  const refused = compareRefused(hq, truth);
  const totals = compareTotals(hq, truth);
  const { sensors, past, images } = truth;
  const { places, unrepeated } = images;
  return {
    rows: [...sensors, past].reduce((sum, { sent }) => sum + sent, 0),
    lost: messages.lost.length + totals.lost,
    doubled: messages.doubled.length + totals.doubled,
    misstated: ledger.misstated + refused.misstated,
    quarantined: refused.quarantined,
    with_image: ledger.with_image,
    untold: messages.untold,
    repeated: places.size - unrepeated.size,
    unclear: totals.unclear,
    breaches: [
      ...named('lost', messages.lost),
      ...named('doubled', messages.doubled),
      ...ledger.breaches,
      ...refused.breaches,
      ...totals.breaches,
    ],
  };
}

function named(what: string, messages: readonly MessageName[]): string[] {
  if (messages.length === 0) return [];
  return [`${messages.length} ${what}: ${messages.slice(0, 12).join(', ')}`];
}

function compareMessages(hq: HqContents, { sensors, past, images }: ImageTruth) {
  const counted = new Map<MessageName, number>();
  const doubled = new Set<MessageName>();
  for (const row of hq.rows) {
    const messages = messagesIn(row, [...sensors, past]);
    if (messages.length === 0) continue;
    for (const name of messages) counted.set(name, (counted.get(name) ?? 0) + 1);
    const people = messages.reduce((sum, name) => sum + peopleIn(numberOf(name)), 0);
    // A reading with people of others, or without those of its own.
    if (row.people !== people) doubled.add(messages[0] as MessageName);
  }
  for (const [name, times] of counted) if (times > 1) doubled.add(name);
  const missing = sensors
    .flatMap(({ sensor_id, sent }) =>
      Array.from({ length: sent }, (_, message): MessageName => `${sensor_id} ${message}`),
    )
    .filter((name) => !counted.has(name));
  const isGone = (name: MessageName) =>
    images.unrepeated.has(name) && !placesOf(images, name).some((place) => isSettled(hq, place));
  const untold = missing.filter((name) =>
    placesOf(images, name).every(
      (place) => place === null || place.sequence > (hq.epochs.get(place.epoch)?.reached ?? 0),
    ),
  );
  return {
    lost: missing.filter((name) => !isGone(name)),
    doubled: [...doubled],
    untold: untold.filter(isGone).length,
  };
}

function numberOf(name: MessageName): number {
  return Number(name.split(' ')[1]);
}

function placesOf({ places }: DiskImages, name: MessageName) {
  return places.get(name) ?? [];
}

/** Of each epoch of a lost disk: what HQ was told of, does not have, and does not stand on the image. */
function compareLedger(hq: HqContents, store: StoreUnderTorture, { parts }: DiskImages) {
  const lost = new Map<string, Set<number>>();
  const breaches: string[] = [];
  let misstated = 0;
  for (const { epoch, first, last } of parts) {
    const reached = hq.epochs.get(epoch)?.reached ?? 0;
    const told = store.line?.told(epoch) ?? { sure: 0, most: 0 };
    if (reached < told.sure || reached > Math.max(told.most, settledUpTo(hq, epoch))) {
      misstated += 1;
      breaches.push(`HQ believes ${epoch} reached ${reached}, told ${told.sure} to ${told.most}`);
    }
    const sequences = lost.get(epoch) ?? new Set();
    lost.set(epoch, sequences);
    for (let sequence = first; sequence <= Math.min(last, reached); sequence += 1) {
      if (!isSettled(hq, { epoch, sequence })) sequences.add(sequence);
    }
  }
  for (const epoch of new Set([...lost.keys(), ...hq.with_image.keys()])) {
    const [gone, noted] = [lost.get(epoch)?.size ?? 0, hq.with_image.get(epoch) ?? 0];
    misstated += Math.abs(gone - noted);
    if (gone !== noted)
      breaches.push(`${gone} of ${epoch} went with a disk, the ledger says ${noted}`);
  }
  const with_image = [...hq.with_image.values()].reduce((sum, count) => sum + count, 0);
  return { misstated, with_image, breaches };
}

function settledUpTo(hq: HqContents, epoch: string): number {
  return Math.max(0, ...(hq.epochs.get(epoch)?.settled ?? []).map(([, last]) => last));
}

/** What HQ refuses is refused once in each place of a log that it was delivered from. */
function compareRefused(hq: HqContents, { past, images }: ImageTruth) {
  const names = Array.from(
    { length: past.sent },
    (_, at): MessageName => `${past.sensor_id} ${at}`,
  );
  const refused = names.reduce((sum, name) => {
    const delivered = placesOf(images, name).filter((place) => isSettled(hq, place)).length;
    return sum + delivered + (images.unrepeated.has(name) ? 0 : 1);
  }, 0);
  const misstated = Math.abs(refused - hq.refused);
  const breaches =
    misstated === 0 ? [] : [`${refused} refused readings, the ledger says ${hq.refused}`];
  return { misstated, breaches, quarantined: hq.refused };
}

function compareTotals(hq: HqContents, { totals, images, quarantined }: Truth) {
  const [lost, doubled, unclear]: [number[], number[], number[]] = [[], [], []];
  const breaches: string[] = [];
  const all = [...images.quarantined, ...quarantined];
  for (const { sensor_id, walked } of totals) {
    const counted = hq.rows.reduce(
      (sum, row) => (row.sensor_id === sensor_id ? sum + row.people : sum),
      0,
    );
    const set_aside = all.filter(
      (one) => one.sensor_id === sensor_id && one.reason === 'counted_by_lost_life',
    );
    const people = set_aside.reduce((sum, one) => sum + one.people, 0);
    doubled.push(Math.max(0, counted - walked));
    lost.push(Math.max(0, walked - counted - people));
    unclear.push(Math.max(0, Math.min(people, walked - counted)));
    if (counted > walked || walked > counted + people) {
      breaches.push(`HQ has ${counted} of ${walked} of ${sensor_id}, ${people} in quarantine`);
    }
  }
  const sum = (numbers: number[]) => numbers.reduce((all, one) => all + one, 0);
  return { lost: sum(lost), doubled: sum(doubled), unclear: sum(unclear), breaches };
}
