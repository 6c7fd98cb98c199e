/** Bytes to a validated value, with an error that names the field. */
import type { z } from 'zod';
import type { ErrorCode } from '../../shared/runtime/errors.ts';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/** @throws body_malformed */
export function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new FootbridgeError('body_malformed', 'the body is not JSON in UTF-8', { cause });
  }
}

/** @param code thrown where the value breaks the contract. */
export function validate<T>(schema: z.ZodType<T>, value: unknown, code: ErrorCode): T {
  const result = schema.safeParse(value);
  if (!result.success) {
    const [first] = result.error.issues;
    const path = first?.path.map(String).join('.') || 'body';
    throw new FootbridgeError(code, `${path}: ${first?.message ?? 'invalid'}`);
  }
  const path = pathOfNul(result.data);
  if (path !== undefined) {
    throw new FootbridgeError(code, `${path}: contains U+0000, which PostgreSQL cannot store`);
  }
  return result.data;
}

/** Where a string with U+0000 stands. Columns of numbers are skipped by their first value. */
function pathOfNul(value: unknown): string | undefined {
  if (typeof value === 'string') return value.includes('\0') ? '' : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value) && typeof value[0] === 'number') return undefined;
  for (const [key, part] of Object.entries(value)) {
    const inner = pathOfNul(part);
    if (inner !== undefined) return inner === '' ? key : `${key}.${inner}`;
  }
  return undefined;
}
