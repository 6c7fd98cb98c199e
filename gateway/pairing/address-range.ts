/** Which addresses a person means to be asked, and whether they are likely their own. Pure. */
import { FootbridgeError } from '../../shared/runtime/errors.ts';

export interface AddressRange {
  readonly addresses: readonly string[];
  /** Why nobody should be asked there unless the person insists; null: a network of one's own. */
  readonly doubt: string | null;
}

/** A store's network; more are asked only when the person insists. */
const addresses_usual = 256;
/** Nobody's store is larger, and every address takes its time. */
const addresses_max = 4096;

/** Networks that nobody else has (RFC 1918, 3927, 6598) and this machine itself. */
const own: readonly [string, number][] = [
  ['10.0.0.0', 8],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
];

/**
 * @param text `10.0.0.0/24`, `10.0.0.5-20`, `10.0.0.5-10.0.1.20` or one address.
 * @throws FootbridgeError usage
 */
export function addressRange(text: string): AddressRange {
  const [first, last] = boundsOf(text);
  const count = last - first + 1;
  if (count > addresses_max) {
    throw refused(text, `names ${count} addresses; at most ${addresses_max} are asked`);
  }
  const addresses = Array.from({ length: count }, (_, i) => written(first + i));
  const isOwn = own.some(([network, bits]) => {
    const [from, to] = blockOf(numberOf(network) ?? 0, bits);
    return first >= from && last <= to;
  });
  if (!isOwn) return { addresses, doubt: `${text} is no network of a store, but a public one` };
  const isWide = count > addresses_usual;
  return { addresses, doubt: isWide ? `${text} are ${count} addresses` : null };
}

/** First and last address, as numbers. */
function boundsOf(text: string): [number, number] {
  const [, from = '', bits, to] =
    /^([\d.]+)(?:\/(\d{1,2})|-([\d.]+))?$/.exec(text.trim()) ?? refuse(text);
  const first = numberOf(from) ?? refuse(text);
  if (bits !== undefined) {
    if (Number(bits) > 32) refuse(text);
    const [low, high] = blockOf(first, Number(bits));
    // The first and the last of a network are nobody's.
    return Number(bits) <= 30 ? [low + 1, high - 1] : [low, high];
  }
  if (to === undefined) return [first, first];
  const last = to.includes('.') ? numberOf(to) : numberOf(from.replace(/\d+$/, to));
  if (last === null || last < first) return refuse(text);
  return [first, last];
}

function blockOf(address: number, bits: number): [number, number] {
  const size = 2 ** (32 - bits);
  const low = Math.floor(address / size) * size;
  return [low, low + size - 1];
}

function numberOf(address: string): number | null {
  const parts = address.split('.');
  if (parts.length !== 4 || parts.some((part) => !/^\d{1,3}$/.test(part) || Number(part) > 255)) {
    return null;
  }
  return parts.reduce((sum, part) => sum * 256 + Number(part), 0);
}

function written(address: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(address / 2 ** bits) % 256).join('.');
}

function refuse(text: string): never {
  throw refused(text, 'is no range of addresses; use 10.0.0.0/24, 10.0.0.5-20 or one address');
}

function refused(text: string, why: string): FootbridgeError {
  return new FootbridgeError('usage', `"${text}" ${why}`);
}
