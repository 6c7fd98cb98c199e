/**
 * What HQ's answer to a batch means for the gateway, named by what it does next. Pure.
 *
 * Nothing in here drops data: an answer that is not understood is a retry.
 */
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { type BatchAnswer, batchAnswerSchema } from '../../shared/wire/batch.ts';

export type Outcome =
  /** HQ has committed; forget the rows, quarantine those it refused. */
  | { readonly kind: 'delivered'; readonly answer: BatchAnswer }
  /** Send the same bytes again, not before `after_ms` where HQ named a time. */
  | { readonly kind: 'retry'; readonly after_ms: number | null; readonly reason: string }
  /** HQ will never take these rows together: halve the batch; one row alone goes to quarantine. */
  | { readonly kind: 'split'; readonly code: string; readonly detail: string }
  /** The credential is not accepted: keep everything, ask the person to enrol again. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface HttpAnswer {
  readonly status: number;
  /** The Retry-After header, or null. */
  readonly retry_after: string | null;
  readonly body: string;
}

/** The batch that was answered. */
export interface Sent {
  readonly batch_id: string;
  readonly first_sequence: number;
  readonly last_sequence: number;
  readonly rows: number;
}

export function outcomeOf(answer: HttpAnswer, sent: Sent): Outcome {
  const { status } = answer;
  if (status === 200) return settled(answer.body, sent);
  const error = errorOfBody(answer.body);
  const why = error === null ? '' : ` ${error.code}: ${error.detail ?? error.message}`;
  const reason = `HTTP ${status}${why}`;
  if (status === 401 || status === 403) return { kind: 'refused', reason };
  // Only an answer that names one of our own codes can condemn readings: a proxy's 400 cannot.
  if ([400, 413, 415, 422].includes(status) && error !== null) {
    return { kind: 'split', code: error.code, detail: error.detail ?? error.message };
  }
  return { kind: 'retry', after_ms: retryAfter_ms(answer.retry_after), reason };
}

/** An answer that does not account for every row is no answer: asking again is always safe. */
function settled(body: string, sent: Sent): Outcome {
  const parsed = batchAnswerSchema.safeParse(json(body));
  if (!parsed.success) return retry('the answer is not a batch answer');
  const { batch_id, accepted, duplicate, rejected } = parsed.data;
  if (batch_id !== sent.batch_id) return retry(`the answer is for batch ${batch_id}`);
  const accounted = accepted + duplicate + rejected.length;
  if (accounted !== sent.rows) return retry(`${accounted} of ${sent.rows} rows accounted for`);
  const refused = new Set(rejected.map(({ sequence }) => sequence));
  const isOurs = (sequence: number) =>
    sequence >= sent.first_sequence && sequence <= sent.last_sequence;
  if (refused.size !== rejected.length || ![...refused].every(isOurs)) {
    return retry('the answer refuses readings that were not sent');
  }
  return { kind: 'delivered', answer: parsed.data };
}

function retry(reason: string): Outcome {
  return { kind: 'retry', after_ms: null, reason };
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Seconds or an HTTP date (RFC 9110 10.2.3); a date needs two equal clocks, so it is left out. */
function retryAfter_ms(header: string | null): number | null {
  const seconds = header === null ? Number.NaN : Number(header);
  return Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 3600) * 1000 : null;
}
