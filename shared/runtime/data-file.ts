/** Files of the data directory that are written whole or not at all, and are there after a power cut. */
import {
  chownSync,
  closeSync,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';

/**
 * Root enrols and pairs for the service, which runs as a user of its own and must read what root
 * wrote: the file belongs to whom the folder belongs.
 */
export function writeDataFile(path: string, text: string): void {
  const written = `${path}.new`;
  const file = openSync(written, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(dirname(path));
    chownSync(written, uid, gid);
  }
  renameSync(written, path);
  syncFolder(dirname(path));
}

/** A rename is durable when its folder is. */
export function syncFolder(folder: string): void {
  const opened = openSync(folder, 'r');
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
