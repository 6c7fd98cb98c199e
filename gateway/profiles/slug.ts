/** A device's own name of a line or zone as part of a sensor's id. Pure. */

const length_max = 40;
const slugs = new Map<string, string>();

/**
 * `Line 0` is `line-0`, `Tür` is `tur`. Where letters are lost, a checksum of the name stands behind,
 * so that two lines never become one sensor.
 */
export function slug(name: string): string {
  const known = slugs.get(name);
  if (known !== undefined) return known;
  const made = write(name);
  // Names come from devices: one that invents a name a frame must not fill the memory.
  if (slugs.size < 10_000) slugs.set(name, made);
  return made;
}

function write(name: string): string {
  const plain = name
    .normalize('NFKD')
    .replaceAll(/\p{Diacritic}/gu, '')
    .toLowerCase();
  const words = plain
    .replaceAll(/[^a-z0-9_]+/g, '-')
    .replace(/^[-_]+/, '')
    .replace(/-+$/, '');
  const lost = /[^ -~]/.test(plain) || words === '' || words.length > length_max;
  return lost ? `${words.slice(0, length_max)}-${checksum(name)}`.replace(/^-/, '') : words;
}

/** FNV-1a, 32 bit. */
function checksum(name: string): string {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
