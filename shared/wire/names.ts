/** Names and texts, as every contract with HQ takes them. */
import { z } from 'zod';

/** One counting line or zone: lower-case words, `/` between a device and its lines or zones. */
export const sensorIdSchema = z
  .string()
  .max(100)
  .regex(/^[a-z0-9][a-z0-9_-]*(\/[a-z0-9][a-z0-9_-]*)*$/, {
    error: 'use lower-case letters, digits, "-" and "_", with "/" between a device and its lines',
  });

/** Text that PostgreSQL can hold: no half of a surrogate pair, no NUL. */
export const text = (length_max: number) =>
  z
    .string()
    .max(length_max)
    .regex(/^[^\p{Surrogate}\0]*$/u, { error: 'holds characters that no text can hold' });
