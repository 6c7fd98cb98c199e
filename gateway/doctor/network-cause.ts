/** What the text of a network or device error means. Pure; the texts are those of Node and OpenSSL. */
import type { FindingCode } from '../../shared/findings/catalogue.ts';

const certificateCauses: readonly [RegExp, FindingCode][] = [
  [/certificate has expired|CERT_HAS_EXPIRED/i, 'certificate_expired'],
  [/not yet valid|CERT_NOT_YET_VALID/i, 'certificate_early'],
  [/altnames|ALTNAME_INVALID/i, 'certificate_misnamed'],
  [
    /self[- ]signed|unable to (verify|get)|UNABLE_TO_|DEPTH_ZERO|unknown ca/i,
    'certificate_untrusted',
  ],
];

const sourceCauses: readonly [RegExp, FindingCode][] = [
  [/EADDRINUSE/, 'port_taken'],
  [/Cannot lock port|EBUSY|Device or resource busy/i, 'serial_taken'],
  [/Permission denied|EACCES/i, 'serial_forbidden'],
  [/No such file or directory, cannot open|ENOENT|No such device/i, 'serial_missing'],
  [/not authori[sz]ed|bad user ?name or password/i, 'broker_refuses'],
  ...certificateCauses,
  [/ENOTFOUND|EAI_AGAIN|EAI_/, 'host_unknown'],
  [/ECONNREFUSED/, 'host_refuses'],
  [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|no connection|timed? ?out/i, 'host_away'],
];

const hqCauses: readonly [RegExp, FindingCode][] = [
  ...certificateCauses,
  [/ENOTFOUND|EAI_AGAIN|EAI_/, 'hq_unknown'],
  [/ECONNREFUSED/, 'hq_refuses'],
];

/** Why a source fails. */
export function sourceCause(error: string): FindingCode {
  return first(sourceCauses, error) ?? 'source_failing';
}

/** Why HQ gave no answer. */
export function hqCause(error: string): FindingCode {
  return first(hqCauses, error) ?? 'hq_away';
}

function first(causes: readonly [RegExp, FindingCode][], error: string): FindingCode | undefined {
  return causes.find(([text]) => text.test(error))?.[1];
}

/**
 * What bytes instead of an answer say about the line. With A and B swapped its rest looks like a
 * break, which a receiver reads as zeros; at another speed or parity bytes are anything.
 *
 * @param noise hex.
 */
export function noiseCause(noise: string): 'line_swapped' | 'line_garbled' {
  const bytes = noise.match(/../g) ?? [];
  const zeros = bytes.filter((byte) => byte === '00').length;
  return zeros * 4 >= bytes.length * 3 ? 'line_swapped' : 'line_garbled';
}
