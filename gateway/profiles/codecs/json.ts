/** Bytes to a JSON value. */

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws an Error whose message says where the text stops being JSON. */
export function decodeJson(bytes: Uint8Array): unknown {
  return JSON.parse(utf8.decode(bytes));
}
