/** How large the buffer may become on this machine. */
import { statfsSync } from 'node:fs';

const mebibyte = 1024 * 1024;
/** 50 million readings: a year of minute counts of a hundred doors. */
const default_mb_max = 4096;

/** @returns what the settings say, or half of the disk up to {@link default_mb_max}. */
export function quotaBytes(config: {
  readonly data_dir: string;
  readonly buffer: { readonly quota_mb?: number | undefined };
}): number {
  if (config.buffer.quota_mb !== undefined) return config.buffer.quota_mb * mebibyte;
  const { blocks, bsize } = statfsSync(config.data_dir);
  return Math.min((blocks * bsize) / 2, default_mb_max * mebibyte);
}
