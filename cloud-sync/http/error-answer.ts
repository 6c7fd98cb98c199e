/** Turns anything thrown into an answer that explains itself and gives nothing away. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { ErrorBody } from '../../shared/wire/error-body.ts';

export interface ErrorAnswer {
  readonly status: number;
  readonly body: ErrorBody;
  readonly retry_after_s: number | undefined;
}

/** How long a gateway waits before it asks a server again that has just failed. */
const retry_after_s = 5;
/** What a client may be told beside the catalogue's text: nothing that came from the database. */
const internalCodes = new Set(['internal', 'database_unavailable', 'embedded_failed']);

export function errorAnswer(error: unknown): ErrorAnswer {
  const known = asFootbridgeError(error);
  const detail = internalCodes.has(known.code) ? undefined : known.detail;
  return {
    status: known.status,
    body: {
      error: {
        code: known.code,
        message: known.message,
        ...(detail === undefined ? {} : { detail }),
        hint: known.hint,
      },
    },
    retry_after_s: known.status === 503 ? retry_after_s : undefined,
  };
}

function asFootbridgeError(error: unknown): FootbridgeError {
  if (error instanceof FootbridgeError) return error;
  // What fastify itself refuses: a broken request line, an unknown method, a bad URL.
  const status = (error as { statusCode?: number } | undefined)?.statusCode ?? 500;
  if (status === 413) return new FootbridgeError('body_too_large');
  return status >= 400 && status < 500
    ? new FootbridgeError('body_malformed')
    : new FootbridgeError('internal', undefined, { cause: error });
}
