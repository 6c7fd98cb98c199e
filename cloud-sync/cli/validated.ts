/** Options of a command as their schema takes them. */
import { z } from 'zod';
import { FootbridgeError } from '../../shared/runtime/errors.ts';

/** A day as people write it; one that the calendar has. */
export const dateSchema = z.iso.date({ error: 'use YYYY-MM-DD' });

/** Of a value that is no end of it. */
const shown_max = 100;

/** @throws usage, naming every option that does not fit, with its value. */
export function validated<T extends z.ZodType>(schema: T, options: unknown): z.infer<T> {
  const result = schema.safeParse(options);
  if (result.success) return result.data;
  const seen = options as Record<string, unknown>;
  const mistakes = result.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    return `--${option} "${String(seen[name]).slice(0, shown_max)}": ${message}`;
  });
  throw new FootbridgeError('usage', mistakes.join('; '));
}
