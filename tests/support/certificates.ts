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
  /** Files of a server's certificate, valid from and to so many days from now, for one name. */
  dated(
    name: string,
    from_days: number,
    to_days: number,
    subject: string,
  ): { cert: string; key: string };
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
  // Only `ca` takes both dates; it wants a register of what it issued.
  const dated: Certificates['dated'] = (name, from_days, to_days, subject) => {
    const date = (days: number) => {
      const iso = new Date(Date.now() + days * 86_400_000).toISOString();
      return `${iso.replaceAll(/[-:T]|\..*/g, '')}Z`;
    };
    writeFileSync(at('register'), '');
    writeFileSync(at('serial'), '1000\n');
    writeFileSync(
      at('ca.cnf'),
      `[ca]\ndefault_ca=d\n[d]\ndatabase=${at('register')}\nserial=${at('serial')}
new_certs_dir=${folder}\ndefault_md=sha256\npolicy=p\nx509_extensions=x
[p]\ncommonName=supplied\n[x]\nsubjectAltName=${subject}\n`,
    );
    openssl(
      ...['req', ...curve, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`)],
      ...['-subj', `/CN=${name}`],
    );
    openssl(
      ...['ca', '-batch', '-config', at('ca.cnf'), '-cert', at('ca.pem'), '-keyfile', at('ca.key')],
      ...['-in', at(`${name}.csr`), '-out', at(`${name}.pem`), '-notext'],
      ...['-startdate', date(from_days), '-enddate', date(to_days)],
    );
    return { cert: at(`${name}.pem`), key: at(`${name}.key`) };
  };
  return {
    authority: at('ca.pem'),
    server: { cert: at('server.pem'), key: at('server.key') },
    trust: { ca: read('ca.pem') },
    dated,
    client: (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) }),
  };
}
