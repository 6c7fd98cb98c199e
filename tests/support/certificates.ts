/** An authority, a server's certificate and clients' certificates, made by OpenSSL for one test. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface Certificates {
  /** File with the authority's certificate. */
  readonly authority: string;
  readonly server: { readonly cert: string; readonly key: string };
  /** TLS options that trust the authority. */
  readonly trust: { readonly ca: Buffer };
  /** TLS options with this client's certificate. */
  client(name: string): { cert: Buffer; key: Buffer };
}

export function certificates(folder: string, ...clients: string[]): Certificates {
  const at = (name: string) => join(folder, name);
  const openssl = (...parameters: string[]) =>
    execFileSync('openssl', parameters, { stdio: ['ignore', 'ignore', 'ignore'] });
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl(
    ...['req', '-x509', ...curve, '-keyout', at('ca.key'), '-out', at('ca.pem')],
    ...['-subj', '/CN=test authority', '-days', '2'],
  );
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const issue = (name: string, ...extra: string[]) => {
    openssl(
      ...['req', ...curve, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)],
      ...['-subj', `/CN=${name}`],
    );
    openssl(
      ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
      ...['-CAcreateserial', '-out', at(`${name}.pem`), '-days', '2', ...extra],
    );
  };
  issue('server', '-extfile', at('names'));
  for (const name of clients) issue(name);
  const read = (file: string) => readFileSync(at(file));
  return {
    authority: at('ca.pem'),
    server: { cert: at('server.pem'), key: at('server.key') },
    trust: { ca: read('ca.pem') },
    client: (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) }),
  };
}
