/**
 * Digest access (RFC 7616 with MD5, and RFC 2069 as old cameras speak it): what some devices prove
 * themselves with and nothing else, Hikvision's event push among them. A password is never sent; what
 * is kept for it, a hash of name, realm and password, opens nothing but this listener.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const realm = 'footbridge';
/** A device answers a challenge at once; one that keeps it longer is told that it is stale. */
const nonce_ms_max = 5 * 60_000;

export interface DigestAnswer {
  readonly username: string;
  /** Whether it was made with the password behind this {@link digestHash}. */
  fits(hash: string): boolean;
}

/** What is kept of a login for Digest, in lower-case hex. */
export function digestHash(username: string, password: string): string {
  return md5(`${username}:${realm}:${password}`);
}

export class DigestAccess {
  readonly #key = randomBytes(32);
  readonly #now: () => number;

  /** @param now ms of a clock that is never set back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The value of `WWW-Authenticate`. */
  challenge(): string {
    const nonce = this.#nonceOf(Math.floor(this.#now()));
    return `Digest realm="${realm}", qop="auth", algorithm=MD5, stale=false, nonce="${nonce}"`;
  }

  /** @returns null where the header is no answer to a challenge of this listener that still counts. */
  read(authorization: string, method: string, target: string): DigestAnswer | null {
    const fields = fieldsOf(authorization);
    const [username, nonce = '', uri = ''] = [fields['username'], fields['nonce'], fields['uri']];
    if (username === undefined || uri !== target || !this.#isOurs(nonce)) return null;
    const qop = fields['qop'];
    if (qop !== undefined && qop !== 'auth') return null;
    const request = md5(`${method}:${uri}`);
    const round = qop === undefined ? nonce : `${nonce}:${fields['nc']}:${fields['cnonce']}:${qop}`;
    const response = Buffer.from(fields['response'] ?? '');
    return {
      username,
      fits: (hash) => {
        const wanted = Buffer.from(md5(`${hash}:${round}:${request}`));
        return wanted.length === response.length && timingSafeEqual(wanted, response);
      },
    };
  }

  #nonceOf(at: number): string {
    const proof = createHmac('sha256', this.#key).update(String(at)).digest('hex');
    return `${at.toString(36)}-${proof}`;
  }

  #isOurs(nonce: string): boolean {
    const at = Number.parseInt(nonce.split('-')[0] ?? '', 36);
    if (!Number.isSafeInteger(at) || this.#now() - at > nonce_ms_max) return false;
    const [seen, wanted] = [Buffer.from(nonce), Buffer.from(this.#nonceOf(at))];
    return seen.length === wanted.length && timingSafeEqual(seen, wanted);
  }
}

/** `name="value"` and `name=value`, as they stand behind the scheme. */
function fieldsOf(authorization: string): Record<string, string> {
  const fields = authorization
    .slice(0, 2000)
    .matchAll(/([a-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/gi);
  return Object.fromEntries(
    [...fields].map(([, name = '', quoted, plain]) => {
      return [name.toLowerCase(), quoted?.replaceAll(/\\(.)/g, '$1') ?? plain ?? ''];
    }),
  );
}

function md5(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
