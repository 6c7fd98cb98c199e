/**
 * `POST /v1/credentials`: a gateway replaces its key. It makes the new secret itself, keeps it on
 * disk and sends only the hash, under the old key; asking again with the same hash gives the same
 * credential. The old key lives until the new one has been used.
 */
import { z } from 'zod';

export const rotateRequestSchema = z.strictObject({
  /** SHA-256 in lower-case hex. */
  secret_hash: z.string().regex(/^[0-9a-f]{64}$/),
});
export type RotateRequest = z.infer<typeof rotateRequestSchema>;

export const rotateAnswerSchema = z.object({ credential_id: z.uuid() });
export type RotateAnswer = z.infer<typeof rotateAnswerSchema>;
