/**
 * Who this gateway is at HQ: the one secret in the store, in a file that only its user can read, or in one
 * that systemd hands over.
 */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { writeDataFile } from '../../shared/runtime/data-file.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

const credentialSchema = z.object({
  hq_url: z.string(),
  gateway_id: z.uuid(),
  credential_id: z.uuid(),
  secret: z.string(),
  organization: z.string(),
  store: z.string(),
  timezone: z.string(),
});
export type Credential = z.infer<typeof credentialSchema>;

export interface CredentialPlaces {
  /** Written by enrolment and by every new key. */
  readonly own: string;
  /** What systemd hands over, read-only; undefined: nothing. */
  readonly handed?: string | undefined;
}

/**
 * The file to go by. A key that was replaced stands in our own file, beside the handed one that it
 * replaced; once the handed one names another gateway, that is what root wants.
 *
 * @throws FootbridgeError config_invalid
 */
export function credentialPath({ own, handed }: CredentialPlaces): string {
  if (handed === undefined || !existsSync(handed)) return own;
  if (!existsSync(own)) return handed;
  const isSameGateway = readCredential(own).gateway_id === readCredential(handed).gateway_id;
  return isSameGateway ? own : handed;
}

/** @throws FootbridgeError not_enrolled, config_invalid */
export function readCredential(path: string): Credential {
  if (!existsSync(path)) throw new FootbridgeError('not_enrolled', `${path} does not exist`);
  try {
    return credentialSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new FootbridgeError('config_invalid', `${path} is damaged`, {
      cause,
      hint: 'Enrol again: `footbridge enroll --force`. Buffered readings are kept.',
    });
  }
}

export function writeCredential(path: string, credential: Credential): void {
  writeDataFile(path, `${JSON.stringify(credential, null, 2)}\n`);
}

/** The value of the Authorization header. */
export function bearer(credential: Credential): string {
  return `Bearer fbg_${credential.credential_id}_${credential.secret}`;
}

/**
 * The secret that HQ does not know yet, on disk before HQ hears of its hash, and its file, which
 * goes once HQ has answered: a lost answer or a power cut costs nothing, the next try sends the same.
 */
export function pendingSecret(credential_path: string): { secret: string; path: string } {
  const path = `${credential_path}.secret`;
  const kept = existsSync(path) ? readFileSync(path, 'utf8') : '';
  // A power cut while it was made can have left an empty file, whose hash everybody knows.
  if (kept !== '') return { secret: kept, path };
  const secret = newSecret();
  writeFileSync(path, secret, { mode: 0o600, flush: true });
  return { secret, path };
}

/** 256 random bits; HQ only ever learns their hash from us when we enrol. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

/** SHA-256 in hex. A plain hash is enough for 256 random bits: there is nothing to guess. */
export function hashOfSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
