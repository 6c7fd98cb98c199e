/** Which device a request speaks for, and how it proves that. */
import type { IncomingMessage } from 'node:http';

/** The address of the frames: the path, or `device/ID` where the device names itself. */
export function deviceAddress(request: IncomingMessage, device_id: string | undefined): string {
  const url = urlOf(request);
  const [place, name = ''] = (device_id ?? '').split(':');
  const header = request.headers[name.toLowerCase()];
  const named = place === 'query' ? url.searchParams.get(name) : place === 'header' ? header : null;
  return typeof named === 'string' && named !== '' ? `device/${named}` : url.pathname;
}

export interface Credential {
  readonly username: string | undefined;
  readonly secret: string | undefined;
}

/**
 * Basic, Bearer, or `?key=` in the address: many counters have one field for the address and none
 * for a login.
 */
export function credentialOf(request: IncomingMessage): Credential {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
  if (scheme.toLowerCase() === 'bearer') return { username: undefined, secret: value };
  if (scheme.toLowerCase() === 'basic') {
    const [username, ...rest] = Buffer.from(value, 'base64').toString('utf8').split(':');
    return { username, secret: rest.join(':') };
  }
  return { username: undefined, secret: urlOf(request).searchParams.get('key') ?? undefined };
}

/** Never throws: what is no address is the address `/`. */
function urlOf(request: IncomingMessage): URL {
  const target = `http://gateway${request.url ?? '/'}`;
  return new URL(URL.canParse(target) ? target : 'http://gateway/');
}
