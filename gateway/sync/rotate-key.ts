/** Replaces this gateway's key when HQ asks for it: nobody has to come to the store. */
import { existsSync, rmSync } from 'node:fs';
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { jsonOrNull } from '../../shared/runtime/json.ts';
import { type RotateRequest, rotateAnswerSchema } from '../../shared/wire/credential.ts';
import {
  bearer,
  type Credential,
  hashOfSecret,
  pendingSecret,
  readCredential,
  writeCredential,
} from './credential.ts';
import type { HqClient } from './hq-client.ts';

/**
 * The new secret is on disk before HQ hears of it, so a lost answer or a power cut costs nothing: the
 * next try sends the same hash. The old key goes on working until the new one has been used.
 *
 * @throws FootbridgeError hq_unreachable, hq_answer_invalid, credential_refused
 */
export async function rotateKey(options: {
  client: HqClient;
  credential: Credential;
  credential_path: string;
}): Promise<void> {
  const { client, credential, credential_path } = options;
  const { secret, path: secret_path } = pendingSecret(credential_path);
  const request: RotateRequest = { secret_hash: hashOfSecret(secret) };
  const answer = await client.post({
    path: '/v1/credentials',
    body: JSON.stringify(request),
    authorization: bearer(credential),
  });
  const strange = `HTTP ${answer.status}: ${answer.body.slice(0, 200)}`;
  if (answer.status !== 200) {
    throw errorOfBody(answer.body) ?? new FootbridgeError('hq_answer_invalid', strange);
  }
  const parsed = rotateAnswerSchema.safeParse(jsonOrNull(answer.body));
  if (!parsed.success) throw new FootbridgeError('hq_answer_invalid', strange);
  // Enrolled anew while HQ answered: what stands there is another gateway's.
  if (isStillOurs(credential_path, credential)) {
    writeCredential(credential_path, { ...credential, ...parsed.data, secret });
  }
  rmSync(secret_path, { force: true });
}

/** Also where there is none: the key in use may be handed over by systemd. */
function isStillOurs(credential_path: string, { gateway_id }: Credential): boolean {
  return !existsSync(credential_path) || readCredential(credential_path).gateway_id === gateway_id;
}
