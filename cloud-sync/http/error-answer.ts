/** Turns anything thrown into an answer that explains itself and gives nothing away. */
import { errorBodyOf } from '../../shared/runtime/error-answer.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import type { ErrorBody } from '../../shared/wire/error-body.ts';
import { sqlState } from '../db/pool.ts';

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
  const told = internalCodes.has(known.code) ? new FootbridgeError(known.code) : known;
  return {
    status: known.status,
    body: errorBodyOf(told),
    retry_after_s: known.retry_after_s ?? (known.status === 503 ? retry_after_s : undefined),
  };
}

function asFootbridgeError(error: unknown): FootbridgeError {
  if (error instanceof FootbridgeError) return error;
  // SQLSTATE classes 22 (data) and 23 (integrity): the data will never be taken. As a 5xx it would
  // come again for ever and hold up everything behind it; refused, the gateway splits the batch
  // until the reading stands alone in quarantine.
  const state = sqlState(error);
  if (state !== undefined && /^2[23]/.test(state)) {
    return new FootbridgeError(
      'batch_invalid',
      `the database refuses a value (SQLSTATE ${state})`,
      {
        cause: error,
      },
    );
  }
  // What fastify itself refuses: a broken request line, an unknown method, a bad URL.
  const status = (error as { statusCode?: number } | undefined)?.statusCode ?? 500;
  if (status === 413) return new FootbridgeError('body_too_large');
  return status >= 400 && status < 500
    ? new FootbridgeError('body_malformed')
    : new FootbridgeError('internal', undefined, { cause: error });
}
