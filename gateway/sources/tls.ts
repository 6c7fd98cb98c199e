/** TLS of sources: what stands in files, and whom a client's certificate names. */
import { readFileSync } from 'node:fs';
import type { TLSSocket } from 'node:tls';
import { errorText, FootbridgeError } from '../../shared/runtime/errors.ts';

/** Options of a TLS server. */
export interface ListenTls {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly minVersion: 'TLSv1.2';
  readonly ca?: Buffer;
  readonly requestCert?: boolean;
  readonly rejectUnauthorized?: boolean;
}

/** Options of a TLS client. The broker's certificate is always checked. */
export interface ConnectTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

interface ListenFiles {
  readonly cert_file: string;
  readonly key_file: string;
  /** With it every client needs a certificate of this authority. */
  readonly client_ca_file?: string | undefined;
}

interface ConnectFiles {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
}

/** @throws FootbridgeError config_invalid */
export function listenTls(source: string, files: ListenFiles): ListenTls {
  const { cert_file, key_file, client_ca_file } = files;
  const own = {
    cert: readSetting(source, 'tls.cert_file', cert_file),
    key: readSetting(source, 'tls.key_file', key_file),
    minVersion: 'TLSv1.2',
  } as const;
  if (client_ca_file === undefined) return own;
  const ca = readSetting(source, 'tls.client_ca_file', client_ca_file);
  return { ...own, ca, requestCert: true, rejectUnauthorized: true };
}

/** @throws FootbridgeError config_invalid */
export function connectTls(source: string, files: ConnectFiles): ConnectTls {
  const { ca_file, cert_file, key_file } = files;
  return {
    ...(ca_file === undefined ? {} : { ca: readSetting(source, 'tls.ca_file', ca_file) }),
    ...(cert_file === undefined ? {} : { cert: readSetting(source, 'tls.cert_file', cert_file) }),
    ...(key_file === undefined ? {} : { key: readSetting(source, 'tls.key_file', key_file) }),
  };
}

/** The content of a file that a setting of a source names. @throws FootbridgeError config_invalid */
export function readSetting(source: string, setting: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    const detail = `source ${source}: ${setting}: ${errorText(cause)}`;
    throw new FootbridgeError('config_invalid', detail, { cause });
  }
}

/** The common name of a client's certificate that was checked; null where there is none. */
export function certifiedName(socket: Partial<TLSSocket>): string | null {
  if (socket.authorized !== true) return null;
  const name = socket.getPeerCertificate?.().subject?.CN;
  return typeof name === 'string' ? name : null;
}
