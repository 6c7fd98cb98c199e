/**
 * `POST /v1/enroll`: a gateway exchanges a single-use token for its identity.
 *
 * The gateway makes its own secret and sends only the hash. A lost answer is then harmless: asking
 * again with the same token and the same hash gives the same gateway, while anybody else who holds
 * the used token is refused.
 */
import { z } from 'zod';
import { text } from './names.ts';

/** `fbt_` and 32 random bytes in base64url: what `footbridge-hq gateway invite` prints, once. */
export const enrollTokenSchema = z.string().regex(/^fbt_[A-Za-z0-9_-]{43}$/, {
  error: 'a token starts with "fbt_" and has 47 characters; copy the whole line',
});

/** SHA-256 in lower-case hex of the secret part of the credential. */
const secretHashSchema = z.string().regex(/^[0-9a-f]{64}$/);

export const enrollRequestSchema = z.strictObject({
  token: enrollTokenSchema,
  secret_hash: secretHashSchema,
  /** What HQ shows for this gateway; the host's name unless the installer says otherwise. */
  name: text(100).min(1),
  version: text(50).min(1),
  /** The gateway whose readings still wait here: only a token of its store may take them over. */
  instead_of: z.uuid().optional(),
});
export type EnrollRequest = z.infer<typeof enrollRequestSchema>;

export const enrollAnswerSchema = z.object({
  gateway_id: z.uuid(),
  /** Names the stored hash; the gateway sends `Bearer fbg_<credential_id>_<secret>`. */
  credential_id: z.uuid(),
  organization: z.string(),
  store: z.string(),
  /** IANA zone of the store, for the installer to compare with the wall clock. */
  timezone: z.string(),
});
export type EnrollAnswer = z.infer<typeof enrollAnswerSchema>;
