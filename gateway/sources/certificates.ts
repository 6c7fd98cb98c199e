/** When the certificates end that sources show to others. */
import { X509Certificate } from 'node:crypto';
import type { SourceConfig } from '../config/config.ts';
import { readSetting } from './tls.ts';

export interface EndingCertificate {
  /** Name of the source. */
  readonly name: string;
  /** ms since the epoch. */
  readonly expires_at: number;
}

/**
 * @returns reads them again, because sources do. While one is being replaced, what was read last.
 * @throws FootbridgeError config_invalid where one cannot be read at first.
 */
export function certificatesOf(
  sources: readonly SourceConfig[],
): () => readonly EndingCertificate[] {
  let known = readAll(sources);
  return () => {
    try {
      known = readAll(sources);
    } catch {
      // Its source goes on with what it has, too.
    }
    return known;
  };
}

function readAll(sources: readonly SourceConfig[]): EndingCertificate[] {
  return sources.flatMap((source) => {
    if (!('tls' in source) || source.tls?.cert_file === undefined) return [];
    const certificate = readSetting(source.name, 'tls.cert_file', source.tls.cert_file);
    return [
      {
        name: source.name,
        expires_at: Date.parse(new X509Certificate(certificate).validTo),
      },
    ];
  });
}
