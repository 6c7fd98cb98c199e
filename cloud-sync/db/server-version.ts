/**
 * Which PostgreSQL may hold the tenant wall. Older minors leak rows through planner statistics
 * despite row security (CVE-2025-8713), and earlier ones use a plan made for another role
 * (CVE-2023-2455, CVE-2024-10976).
 */
import { FootbridgeError } from '../../shared/runtime/errors.ts';

const floors: Readonly<Record<number, number>> = { 15: 150014, 16: 160010, 17: 170006 };

/** @param version `server_version_num` and `server_version`. @throws postgres_unsupported */
export function assertSupported(version: { number: number; text: string }): void {
  if (!isSupported(version.number)) {
    throw new FootbridgeError('postgres_unsupported', `the server is PostgreSQL ${version.text}`);
  }
}

export function isSupported(version_number: number): boolean {
  const major = Math.trunc(version_number / 10_000);
  return major >= 18 || version_number >= (floors[major] ?? Number.POSITIVE_INFINITY);
}
