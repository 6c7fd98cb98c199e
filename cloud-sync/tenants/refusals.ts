/** Turns a refusal of the database into an error that names the option and the value. */
import type { ErrorCode } from '../../shared/runtime/errors.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';
import { brokenConstraint } from '../db/pool.ts';

/** @param known constraint → code and detail. @returns the error to throw. */
export function explainRefusal(
  error: unknown,
  known: Readonly<Record<string, readonly [ErrorCode, string]>>,
): unknown {
  const [code, detail] = known[brokenConstraint(error) ?? ''] ?? [];
  return code === undefined ? error : new FootbridgeError(code, detail, { cause: error });
}
