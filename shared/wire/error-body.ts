/** The body of every answer that is not a success. */
import { z } from 'zod';

export const errorBodySchema = z.object({
  error: z.object({
    code: z.string(),
    /** What is wrong. */
    message: z.string(),
    /** The value seen, or which limit was passed. */
    detail: z.string().optional(),
    /** What to do next. */
    hint: z.string().optional(),
  }),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;
