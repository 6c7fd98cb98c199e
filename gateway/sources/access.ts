/**
 * Who may speak to a source that listens, and about which addresses.
 *
 * A sensor with a login of its own is believed only under that login: nobody else, whatever the
 * source allows, can count in its name.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { DigestAnswer } from './digest.ts';
import { topicMatches } from './topic-filter.ts';

export interface Login {
  readonly username: string;
  /** Lower-case hex. Logins of sensors are 128 random bits, which a slow hash would not protect better. */
  readonly secret_sha256: string;
  /** What Digest is checked with (digest.ts); missing: the login speaks no Digest. */
  readonly secret_digest?: string | undefined;
  /** Where it may speak: addresses, or MQTT filters with + and #. */
  readonly addresses: readonly string[];
}

/** `anonymous` where nobody proved anything and the source lets everybody in. */
export type Visitor = Login | 'anonymous';

export interface AccessRules {
  /** Whether a device without a login may speak. */
  readonly allow_anonymous: boolean;
  /** Logins that several devices share. */
  readonly users: readonly Login[];
}

export class Access {
  readonly #rules: AccessRules;
  #sensors = new Map<string, Login>();
  #holders = new Map<string, Login>();

  constructor(rules: AccessRules) {
    this.#rules = rules;
  }

  /** Sets the logins of single sensors; each holds its one address for itself. */
  setSensors(logins: readonly Login[]): void {
    this.#sensors = new Map(logins.map((login) => [login.username, login]));
    this.#holders = new Map(
      logins.flatMap((login) => login.addresses.map((address) => [address, login])),
    );
  }

  /** Who this is; null: refused. An unknown name is as good as none. */
  enter(username: string | undefined, secret: Uint8Array | string | undefined): Visitor | null {
    const known = username === undefined ? undefined : this.#loginOf(username);
    if (known !== undefined) return isSecretOf(known, secret) ? known : null;
    return this.#rules.allow_anonymous ? 'anonymous' : null;
  }

  /** Who this is when it answered a challenge. */
  enterDigest({ username, fits }: DigestAnswer): Visitor | null {
    const known = this.#loginOf(username);
    return known?.secret_digest !== undefined && fits(known.secret_digest) ? known : null;
  }

  /** Who this is when a certificate that the source's own authority signed says the name. */
  enterCertified(name: string): Visitor | null {
    return this.#loginOf(name) ?? (this.#rules.allow_anonymous ? 'anonymous' : null);
  }

  /** Who speaks at this address with a secret and no name. */
  enterAt(address: string, secret: string): Visitor | null {
    const holder = this.#holders.get(address);
    return this.enter(holder?.username, secret);
  }

  maySpeak(visitor: Visitor, address: string): boolean {
    const holder = this.#holders.get(address);
    // Compared by name and secret: a login that was changed since is another one.
    if (holder !== undefined) return visitor !== 'anonymous' && isSame(holder, visitor);
    if (visitor === 'anonymous') return this.#rules.allow_anonymous;
    return visitor.addresses.some((filter) => topicMatches(filter, address));
  }

  #loginOf(username: string): Login | undefined {
    return (
      this.#sensors.get(username) ?? this.#rules.users.find((user) => user.username === username)
    );
  }
}

/** A secret as it is kept: its SHA-256 in lower-case hex. */
export function secretHash(secret: Uint8Array | string): string {
  return createHash('sha256').update(secret).digest('hex');
}

function isSecretOf(login: Login, secret: Uint8Array | string | undefined): boolean {
  const seen = Buffer.from(secretHash(secret ?? ''), 'hex');
  const wanted = Buffer.from(login.secret_sha256, 'hex');
  return seen.length === wanted.length && timingSafeEqual(seen, wanted);
}

function isSame(one: Login, other: Login): boolean {
  return one.username === other.username && one.secret_sha256 === other.secret_sha256;
}
