/** Exchanges an enrolment token for this gateway's identity at HQ. */
import { rmSync } from 'node:fs';
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { jsonOrNull } from '../../shared/runtime/json.ts';
import {
  type EnrollRequest,
  enrollAnswerSchema,
  enrollTokenSchema,
} from '../../shared/wire/enroll.ts';
import { type Credential, hashOfSecret, pendingSecret, writeCredential } from './credential.ts';
import type { HqClient } from './hq-client.ts';

/**
 * The secret is on disk before HQ hears of it. When the answer is lost, the next try sends the same
 * hash and HQ gives the same identity; the token is not wasted.
 *
 * @throws FootbridgeError usage, hq_unreachable, hq_answer_invalid, token_unknown, token_used,
 *   token_expired, token_of_another_store
 */
export async function enroll(options: {
  client: HqClient;
  hq_url: string;
  token: string;
  name: string;
  version: string;
  credential_path: string;
  /** See `instead_of` of the request. */
  instead_of?: string | undefined;
}): Promise<Credential> {
  const token = enrollTokenSchema.safeParse(options.token);
  if (!token.success) {
    const detail = `--token: ${token.error.issues[0]?.message} (found ${options.token.length} characters)`;
    throw new FootbridgeError('usage', detail);
  }
  const { secret, path: secret_path } = pendingSecret(options.credential_path);
  const request: EnrollRequest = {
    token: token.data,
    secret_hash: hashOfSecret(secret),
    name: options.name,
    version: options.version,
    instead_of: options.instead_of,
  };
  const answer = await options.client.post({ path: '/v1/enroll', body: JSON.stringify(request) });
  if (answer.status !== 200) {
    const strange = `HTTP ${answer.status}: ${answer.body.slice(0, 200)}`;
    throw errorOfBody(answer.body) ?? new FootbridgeError('hq_answer_invalid', strange);
  }
  const parsed = enrollAnswerSchema.safeParse(jsonOrNull(answer.body));
  if (!parsed.success) throw new FootbridgeError('hq_answer_invalid', answer.body.slice(0, 200));
  const credential = { hq_url: options.hq_url, secret, ...parsed.data };
  writeCredential(options.credential_path, credential);
  // Somebody may have typed the command twice: both have the same identity then.
  rmSync(secret_path, { force: true });
  return credential;
}
