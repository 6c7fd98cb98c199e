/**
 * The version of the batch that a gateway writes: apart from the schema, which its buffer's thread has
 * no use for (zod takes 4 MB).
 */
export const batch_version = 1;
