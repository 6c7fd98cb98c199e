/**
 * Images of a tortured gateway's disk, as a virtual machine's snapshot or a copied card is one, and what
 * stood on the disk in whose place one was put.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../shared/runtime/clock.ts';
import {
  type BufferContents,
  bufferContents,
  type Quarantined,
  type Span,
} from './buffer-contents.ts';
import { type MessageName, messagesIn } from './message-name.ts';
import type { DeltaSensor } from './sensors.ts';
import type { StoreUnderTorture } from './store-under-torture.ts';

/** Images that lie in a drawer. */
const images_kept = 3;

/** Where a message stood on a disk that is gone; null: it had no place in the log yet. */
export type LostPlace = { readonly epoch: string; readonly sequence: number } | null;

/** A part of the log that is gone: of one epoch, `last` included. */
export interface LostPart {
  readonly epoch: string;
  readonly first: number;
  readonly last: number;
}

export class DiskImages {
  readonly parts: LostPart[] = [];
  /** Where each message stood that was on a lost disk and is not on its image. */
  readonly places = new Map<MessageName, LostPlace[]>();
  /** Messages on lost disks that no sensor will send again. */
  readonly unrepeated = new Set<MessageName>();
  readonly quarantined: Quarantined[] = [];
  /** Readings that were added to others on lost disks. */
  coalesced = 0;
  readonly #store: StoreUnderTorture;
  readonly #sensors: readonly DeltaSensor[];
  readonly #random: () => number;
  readonly #folder = mkdtempSync(join(tmpdir(), 'footbridge-images-'));
  #images: string[] = [];
  /** Messages that were not acknowledged when the gateway was killed last. */
  #waiting: ReadonlySet<MessageName> = new Set();
  #taken = 0;
  #put_back = 0;

  constructor(store: StoreUnderTorture, sensors: readonly DeltaSensor[], random: () => number) {
    this.#store = store;
    this.#sensors = sensors;
    this.#random = random;
  }

  get put_back(): number {
    return this.#put_back;
  }

  /** A copy of everything at this moment, or of what is on the disk for sure. */
  async take(): Promise<void> {
    this.#taken += 1;
    const image = join(this.#folder, `${this.#taken}`);
    const isSynced = this.#random() < 0.5;
    await this.#store.whileFrozen(() => this.#store.disk.copyTo(image, isSynced));
    this.#images.push(image);
    for (const old of this.#images.splice(0, this.#images.length - images_kept)) {
      rmSync(old, { recursive: true });
    }
  }

  /**
   * Kills the gateway and puts one of the images that its disk comes from in the place of it.
   *
   * Two things are not done, because they leave a running total open by design: an image that the disk
   * does not come from gives two lives parts of one total, and so does a request of the lost life that
   * HQ takes only after it has answered the next one.
   */
  async putBack(): Promise<void> {
    if (this.#images.length === 0) await this.take();
    const place = Math.floor(this.#random() * this.#images.length);
    const image = this.#images[place] ?? '';
    this.#images = this.#images.slice(0, place + 1);
    await this.#store.killGateway();
    await this.#store.line?.quiet();
    this.#store.line?.forgetUnanswered();
    // Acknowledgements that were on their way when it died have come by now.
    while (this.#sensors.some(({ isConnected }) => isConnected)) await systemClock.sleep(5);
    this.#noteLost(image);
    this.#store.disk.putBack(image);
    this.#put_back += 1;
  }

  /** What the gateway's disk holds now. */
  async present(): Promise<BufferContents> {
    const copy = join(this.#folder, 'present');
    await this.#store.whileFrozen(() => this.#store.disk.copyTo(copy, false));
    try {
      return bufferContents(copy);
    } finally {
      rmSync(copy, { recursive: true });
    }
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #noteLost(image: string): void {
    this.#waiting = new Set(
      this.#sensors.flatMap(({ sensor_id, unacknowledged }) =>
        unacknowledged.map((message): MessageName => `${sensor_id} ${message}`),
      ),
    );
    const lost_disk = join(this.#folder, 'lost');
    this.#store.disk.copyTo(lost_disk, false);
    const [before, lost] = [bufferContents(image), bufferContents(lost_disk)];
    rmSync(lost_disk, { recursive: true });
    this.coalesced += lost.coalesced - before.coalesced;
    const parts = lost.epochs
      .map(({ epoch, first_sequence }, at) => {
        const first = Math.max(first_sequence, before.newest + 1);
        return { epoch, first, last: (lost.epochs[at + 1]?.first_sequence ?? lost.newest + 1) - 1 };
      })
      .filter(({ first, last }) => first <= last);
    this.parts.push(...parts);
    for (const reading of lost.readings) {
      const { sequence } = reading;
      const part = parts.find(({ first, last }) => first <= sequence && sequence <= last);
      if (part !== undefined) this.#noteMessages(reading, { epoch: part.epoch, sequence });
    }
    const dateless = new Set(before.undated.map((span) => JSON.stringify(span)));
    for (const span of lost.undated) {
      if (!dateless.has(JSON.stringify(span))) this.#noteMessages(span, null);
    }
    const known = before.quarantined.reduce((newest, { id }) => Math.max(newest, id), 0);
    this.quarantined.push(...lost.quarantined.filter(({ id }) => id > known));
  }

  /** A sensor that was not acknowledged gives the next life its message again. */
  #noteMessages(span: Span, place: LostPlace): void {
    for (const name of messagesIn(span, this.#sensors)) {
      this.places.set(name, [...(this.places.get(name) ?? []), place]);
      if (!this.#waiting.has(name)) this.unrepeated.add(name);
    }
  }
}
