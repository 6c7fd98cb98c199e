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

/** Read once, as the sources do: a renewed file counts after a restart. @throws config_invalid */
export function certificatesOf(sources: readonly SourceConfig[]): EndingCertificate[] {
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
