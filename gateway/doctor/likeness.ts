/** Which of several addresses a person meant. Pure. */

/** A slip of the finger, a swapped pair; more is another name. */
const slips_max = 2;

/** The address most like the wanted one, or null where none is like it. */
export function likeliest(wanted: string, heard: readonly string[]): string | null {
  const plain = (address: string) => address.toLowerCase().replace(/^\/|\/$/g, '');
  const [best] = [...new Set(heard)]
    .map((address) => ({ address, slips: editDistance(plain(wanted), plain(address)) }))
    .sort((a, b) => a.slips - b.slips);
  return best !== undefined && best.slips <= slips_max ? best.address : null;
}

/** Letters to insert, take out or replace (Levenshtein). */
export function editDistance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, i) => i);
  for (const [i, letter] of [...one].entries()) {
    const row = [i + 1];
    for (const [j, otherLetter] of [...other].entries()) {
      const replaced = (above[j] ?? 0) + (letter === otherLetter ? 0 : 1);
      row.push(Math.min(replaced, (above[j + 1] ?? 0) + 1, (row[j] ?? 0) + 1));
    }
    above = row;
  }
  return above.at(-1) ?? 0;
}
