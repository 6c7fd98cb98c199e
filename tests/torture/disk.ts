/** A gateway's disk that forgets, fills up and fails; see forgetful-disk.c. */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { root } from '../rules/sources.ts';

/** What a disk writes as one: a power cut keeps a sector whole or not at all. */
const sector_bytes = 512;

const moods = { normal: 'n', full: 's', failing: 'i' } as const;

export class ForgetfulDisk {
  readonly folder: string;
  /** For the process that uses the disk. */
  readonly environment: NodeJS.ProcessEnv;
  readonly #mood: number;
  readonly #random: () => number;

  constructor(around: string, random: () => number) {
    this.folder = join(around, 'disk');
    mkdirSync(this.folder);
    const library = join(around, 'forgetful-disk.so');
    const source = join(root, 'tests/torture/forgetful-disk.c');
    const flags = ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl', '-lpthread'];
    const made = spawnSync('cc', flags, { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(`forgetful-disk.c did not compile: ${made.stderr}`);
    const fault = join(around, 'mood');
    writeFileSync(fault, moods.normal);
    this.#mood = openSync(fault, 'r+');
    this.#random = random;
    this.environment = {
      LD_PRELOAD: library,
      FOOTBRIDGE_DISK: this.folder,
      FOOTBRIDGE_DISK_FAULT: fault,
    };
  }

  become(mood: keyof typeof moods): void {
    writeSync(this.#mood, moods[mood], 0);
  }

  /**
   * Leaves on the disk what a power cut may leave: all that was synced, and of what was written
   * since a random choice of sectors. Call it when the process is dead.
   */
  cutPower(): void {
    const durable = join(this.folder, '.durable');
    const names = readdirSync(this.folder).filter((name) =>
      statSync(join(this.folder, name)).isFile(),
    );
    for (const name of names) {
      const file = join(this.folder, name);
      const twin = join(durable, name);
      if (!existsSync(twin)) rmSync(file);
      else writeFileSync(file, this.#survivors(readFileSync(twin), readFileSync(file)));
    }
    // What survived is what the next process finds, and the next power cut starts from.
    for (const name of readdirSync(durable)) {
      const file = join(this.folder, name);
      if (existsSync(file)) copyFileSync(file, join(durable, name));
      else copyFileSync(join(durable, name), file);
    }
  }

  /**
   * What lies on the disk at this moment. Call it while the process stands still.
   *
   * @param isSynced without what a power cut might take.
   */
  copyTo(folder: string, isSynced: boolean): void {
    const from = isSynced ? join(this.folder, '.durable') : this.folder;
    const isFile = (path: string) => path === from || !/(\.durable|\.sock)$/.test(path);
    cpSync(from, folder, { recursive: true, filter: isFile });
  }

  /** The disk is what the image says, and nothing else. Call it when the process is dead. */
  putBack(image: string): void {
    rmSync(this.folder, { recursive: true });
    cpSync(image, this.folder, { recursive: true });
    cpSync(image, join(this.folder, '.durable'), { recursive: true });
  }

  close(): void {
    closeSync(this.#mood);
  }

  #survivors(synced: Buffer, written: Buffer): Buffer {
    const keepNone = this.#random() < 0.3;
    if (keepNone || synced.equals(written)) return synced;
    const longer = written.length > synced.length && this.#random() < 0.5;
    const found = Buffer.alloc(longer ? written.length : synced.length);
    synced.copy(found);
    for (let at = 0; at < found.length; at += sector_bytes) {
      if (this.#random() < 0.5) written.copy(found, at, at, at + sector_bytes);
    }
    return found;
  }
}
