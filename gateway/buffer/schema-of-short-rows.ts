/** The step to rows of 38 bytes where they had 45, and its way back. */
import type { SchemaStep } from './schema-steps.ts';

/**
 * When a reading was received stands as its distance from the interval's start, ms, where that fits 32
 * bits: 3 bytes instead of 6. A key is 12 bytes, not 16 characters of them. Rows that stand already stay as
 * they are, and `received_at` is what either says: a buffer of 50 million rows must not be written anew on
 * a disk that may have no room for it.
 */
const up = `
ALTER TABLE readings RENAME received_at TO received;
ALTER TABLE readings ADD received_at INTEGER GENERATED ALWAYS AS
  (iif(received BETWEEN -2147483648 AND 2147483647, observed_at + received, received)) VIRTUAL;
ALTER TABLE readings ADD message_key BLOB;
`;

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** SQL for base64 of three bytes of the key, which JSON5 reads as a number. */
function base64(first_byte: number): string {
  const characters = [18, 12, 6, 0].map(
    (shift) => `substr('${alphabet}', 1 + (bits >> ${shift} & 63), 1)`,
  );
  const bits = `('0x' || hex(substr(message_key, ${first_byte}, 3))) ->> '$'`;
  return `(SELECT ${characters.join(' || ')} FROM (SELECT ${bits} AS bits))`;
}

const down = `
UPDATE readings SET received = received_at,
  dedupe_key = iif(message_key IS NULL, dedupe_key, ${[1, 4, 7, 10].map(base64).join(' || ')})
WHERE received <> received_at OR message_key IS NOT NULL;
ALTER TABLE readings DROP received_at;
ALTER TABLE readings DROP message_key;
ALTER TABLE readings RENAME received TO received_at;
`;

export const shortRows: SchemaStep = { up, down };
