/** JSON that somebody else wrote. */

/** The value, or null where the text is no JSON: a schema then says what is wrong with it. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
