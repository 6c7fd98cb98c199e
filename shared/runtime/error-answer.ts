/** Errors on their way over HTTP and back: at HQ, on the gateway's socket, in both commands. */
import { type ErrorBody, errorBodySchema } from '../wire/error-body.ts';
import { errorCatalogue } from './error-catalogue.ts';
import { type ErrorCode, FootbridgeError } from './errors.ts';
import { jsonOrNull } from './json.ts';

export function errorBodyOf({ code, message, detail, hint }: FootbridgeError): ErrorBody {
  return { error: { code, message, ...(detail === undefined ? {} : { detail }), hint } };
}

/** The error that a body carries, or null where it is none of ours: a proxy's page, another server. */
export function errorOfBody(body: string): FootbridgeError | null {
  const parsed = errorBodySchema.safeParse(jsonOrNull(body));
  if (!parsed.success) return null;
  const { code, message, detail, hint } = parsed.data.error;
  // A newer HQ may know more codes than we do; its words still reach the person.
  const known = code in errorCatalogue ? (code as ErrorCode) : 'internal';
  const seen = known === code ? detail : `${code}: ${detail ?? message}`;
  return new FootbridgeError(known, seen, hint === undefined ? {} : { hint });
}
