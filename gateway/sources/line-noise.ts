/** What was heard on a line instead of an answer: the doctor tells by it what is wrong. Pure. */

/** Enough to tell another speed from a line at rest, and an echo before it. */
const heard_bytes_kept = 64;

/** Keeps the first bytes that came after a question, in hex. */
export function hear(question: { heard: string }, chunk: Uint8Array): void {
  if (question.heard.length >= 2 * heard_bytes_kept) return;
  question.heard += Buffer.from(chunk).toString('hex');
}

/** Two-wire converters hear what they send: that is no noise. @returns hex, or null for nothing */
export function noiseOf(heard: string, request: Uint8Array): string | null {
  const noise = heard.replace(Buffer.from(request).toString('hex'), '');
  return noise === '' ? null : noise.slice(0, 2 * heard_bytes_kept);
}
