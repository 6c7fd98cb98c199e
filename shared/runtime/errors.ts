/**
 * An error that a person can meet has a code to count it by, a message (what is wrong), a detail (the
 * value seen) and a hint (what to do next); the codes stand in error-catalogue.ts. Programming
 * mistakes are not in there: they stay plain `Error`s.
 */
import { type CatalogueEntry, errorCatalogue } from './error-catalogue.ts';

export type ErrorCode = keyof typeof errorCatalogue;

/** An operating error: expected to happen in a store, explained to the person who meets it. */
export class FootbridgeError extends Error {
  readonly code: ErrorCode;
  /** The value seen. */
  readonly detail: string | undefined;
  readonly hint: string;
  /** For an HTTP answer: when to ask again, seconds. */
  readonly retry_after_s: number | undefined;

  constructor(
    code: ErrorCode,
    detail?: string,
    options: { cause?: unknown; hint?: string; retry_after_s?: number } = {},
  ) {
    super(errorCatalogue[code].message, { cause: options.cause });
    this.name = 'FootbridgeError';
    this.code = code;
    this.detail = detail;
    this.hint = options.hint ?? errorCatalogue[code].hint;
    this.retry_after_s = options.retry_after_s;
  }

  /** Status for an HTTP answer; 500 where the catalogue names none. */
  get status(): number {
    const entry: CatalogueEntry = errorCatalogue[this.code];
    return entry.status ?? 500;
  }
}

/** The text of anything thrown, for details and logs. */
export function errorText(error: unknown): string {
  if (error instanceof FootbridgeError) {
    return error.detail === undefined ? error.message : `${error.message} ${error.detail}`;
  }
  if (error instanceof AggregateError && error.message === '') {
    return error.errors.map(errorText).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

/** Exit codes of both commands. */
export const exitCode = {
  good: 0,
  /** A fault was found or the work failed. */
  fault: 1,
  usage: 2,
  /** EX_CONFIG of sysexits.h: systemd does not restart on it (RestartPreventExitStatus=78). */
  config: 78,
} as const;

/** What a person typed is not allowed here. */
const usageCodes: ReadonlySet<ErrorCode> = new Set(['usage', 'value_invalid', 'timezone_unknown']);

/** The exit code that fits an error. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof FootbridgeError)) return exitCode.fault;
  if (usageCodes.has(error.code)) return exitCode.usage;
  return error.code === 'config_invalid' || error.code === 'profile_invalid'
    ? exitCode.config
    : exitCode.fault;
}
