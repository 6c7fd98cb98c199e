/**
 * What HQ's answer to a batch means for the gateway, named by what it does next. Pure.
 *
 * Nothing in here drops data: an answer that is not understood is a retry.
 */
import { errorOfBody } from '../../shared/runtime/error-answer.ts';
import { jsonOrNull } from '../../shared/runtime/json.ts';
import { type BatchAnswer, batchAnswerSchema } from '../../shared/wire/batch.ts';

export type Outcome =
  /** HQ has committed; forget the rows, quarantine those it refused. */
  | { readonly kind: 'delivered'; readonly answer: BatchAnswer }
  /** Send the same bytes again, not before `after_ms` where HQ named a time. */
  | { readonly kind: 'retry'; readonly after_ms: number | null; readonly reason: string }
  /** HQ will never take these rows together: halve the batch; one row alone goes to quarantine. */
  | { readonly kind: 'split'; readonly code: string; readonly detail: string }
  /** Too much at once for somebody on the way, who knows nothing of readings: send fewer. */
  | { readonly kind: 'shrink'; readonly reason: string }
  /** The credential is not accepted: keep everything, ask the person to enrol again. */
  | { readonly kind: 'refused'; readonly reason: string };

export interface HttpAnswer {
  readonly status: number;
  /** The Retry-After header, or null. */
  readonly retry_after: string | null;
  /** The Date header: the clock by which a Retry-After that is a date was meant; or null. */
  readonly date: string | null;
  readonly body: string;
}

/** The batch that was answered. */
export interface Sent {
  readonly batch_id: string;
  readonly first_sequence: number;
  readonly last_sequence: number;
  readonly rows: number;
}

/** Nobody may send a gateway away for longer. */
const after_max_ms = 3_600_000;

export function outcomeOf(answer: HttpAnswer, sent: Sent): Outcome {
  const { status } = answer;
  if (status === 200) return settled(answer.body, sent);
  const error = errorOfBody(answer.body);
  // Only an answer that names one of our own codes can condemn readings: a proxy's 400 cannot.
  const isOfRows = [400, 413, 415, 422].includes(status) && error !== null;
  if (isOfRows && sent.rows > 0) {
    return { kind: 'split', code: error.code, detail: error.detail ?? error.message };
  }
  const unheard = unheardOf(answer);
  if (status === 413) return { kind: 'shrink', reason: unheard.reason };
  return unheard;
}

/** HQ has not done what it was asked. */
export type Unheard = Extract<Outcome, { kind: 'retry' | 'refused' }>;

/** What any other answer than 200 means, whatever was asked. */
export function unheardOf(answer: HttpAnswer): Unheard {
  const { status } = answer;
  const error = errorOfBody(answer.body);
  const why = error === null ? '' : ` ${error.code}: ${error.detail ?? error.message}`;
  const reason = `HTTP ${status}${why}`;
  if (status === 401 || status === 403) return { kind: 'refused', reason };
  return { kind: 'retry', after_ms: retryAfter_ms(answer), reason };
}

/** An answer that does not account for every row is no answer: asking again is always safe. */
function settled(body: string, sent: Sent): Outcome {
  const parsed = batchAnswerSchema.safeParse(jsonOrNull(body));
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

/** Seconds, or a date (RFC 9110 10.2.3) by the clock of whoever answered: ours may be another. */
function retryAfter_ms({ retry_after, date }: HttpAnswer): number | null {
  if (retry_after === null) return null;
  const by_date_ms = Date.parse(retry_after) - Date.parse(date ?? '');
  const after_ms = /^\d+$/.test(retry_after) ? Number(retry_after) * 1000 : by_date_ms;
  return Number.isFinite(after_ms) ? Math.min(Math.max(after_ms, 0), after_max_ms) : null;
}
