/** A listener shows a renewed certificate without a restart, which would cut off every device. */
import type { Server } from 'node:tls';
import type { Clock } from '../../shared/runtime/clock.ts';
import type { ListenTls } from './tls.ts';

/** Certificates are renewed days before they end; a minute is soon enough. */
const look_every_ms = 60_000;

/**
 * Connections that are open keep what they have. Files that cannot be used, or whose key is not yet
 * the certificate's, change nothing; they are looked at again.
 *
 * @param shown what the server was opened with.
 * @returns ends the looking.
 */
export function followCertificate(
  server: Pick<Server, 'setSecureContext'>,
  shown: ListenTls,
  read: () => ListenTls,
  clock: Pick<Clock, 'after'>,
): () => void {
  let current = shown;
  const look = () => {
    try {
      const found = read();
      if (!isSame(found, current)) {
        server.setSecureContext(found);
        current = found;
      }
    } catch {
      // Somebody is just replacing them, or a finding of the doctor tells when the old one ends.
    }
    cancel = clock.after(look_every_ms, look);
  };
  let cancel = clock.after(look_every_ms, look);
  return () => cancel();
}

function isSame(one: ListenTls, other: ListenTls): boolean {
  const same = (a: Buffer | undefined, b: Buffer | undefined) =>
    a === undefined || b === undefined ? a === b : a.equals(b);
  return same(one.cert, other.cert) && same(one.key, other.key) && same(one.ca, other.ca);
}
