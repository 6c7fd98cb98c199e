/**
 * XML to a JSON value, by local names: one camera model was seen with three namespaces. Attributes
 * and child elements become fields, repeated elements arrays, an element with nothing but text that
 * text. Document types and their entities are refused: no device needs them and bombs are made of
 * them.
 */
import { textOf } from './text.ts';

interface Element {
  readonly name: string;
  readonly fields: Map<string, unknown>;
  text: string;
}

const token =
  /<!--[\s\S]*?-->|<!\[CDATA\[([\s\S]*?)\]\]>|<\?[\s\S]*?\?>|<\/([^\s<>/]+)\s*>|<([^\s<>/!?]+)((?:[^<>"']|"[^"]*"|'[^']*')*?)(\/?)>|([^<]+)/y;
const attribute = /\s+([^\s=<>"'/]+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const depth_max = 50;

/** @throws an Error that says where the text stops being XML. */
export function decodeXml(bytes: Uint8Array): unknown {
  const text = textOf(bytes).replace(/^\uFEFF/, '');
  const root: Element = { name: '', fields: new Map(), text: '' };
  const open: Element[] = [root];
  token.lastIndex = 0;
  let at = 0;
  while (at < text.length) {
    const match = token.exec(text);
    if (match === null) throw new Error(`no XML from character ${at} on`);
    at = token.lastIndex;
    const [, cdata, closing, opening, attributes = '', empty, characters] = match;
    const current = open.at(-1) ?? root;
    if (cdata !== undefined) current.text += cdata;
    else if (characters !== undefined) current.text += plain(characters);
    else if (closing !== undefined) close(open, closing);
    else if (opening !== undefined) {
      open.push({ name: opening, fields: attributesOf(attributes), text: '' });
      if (open.length > depth_max) throw new Error(`elements lie deeper than ${depth_max}`);
      if (empty === '/') close(open, opening);
    }
  }
  if (open.length !== 1) throw new Error(`element ${open.at(-1)?.name} is never closed`);
  if (root.fields.size !== 1 || root.text.trim() !== '') throw new Error('no single root element');
  return Object.fromEntries(root.fields);
}

function close(open: Element[], name: string): void {
  const element = open.pop();
  const parent = open.at(-1);
  if (element?.name !== name || parent === undefined) throw new Error(`unexpected </${name}>`);
  const value =
    element.fields.size === 0 ? element.text.trim() : Object.fromEntries(withText(element));
  const local = localName(name);
  const before = parent.fields.get(local);
  if (before === undefined) parent.fields.set(local, value);
  else if (Array.isArray(before)) before.push(value);
  else parent.fields.set(local, [before, value]);
}

function withText({ fields, text }: Element): Map<string, unknown> {
  return text.trim() === '' ? fields : fields.set('text', text.trim());
}

function attributesOf(text: string): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  const trimmed = text.trimEnd();
  attribute.lastIndex = 0;
  let at = 0;
  while (at < trimmed.length) {
    const match = attribute.exec(trimmed);
    if (match === null) throw new Error(`no attribute: ${trimmed.slice(at, at + 40)}`);
    at = attribute.lastIndex;
    const [, name = '', double, single] = match;
    if (!/^xmlns(:|$)/.test(name)) fields.set(localName(name), plain(double ?? single ?? ''));
  }
  return fields;
}

function localName(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function plain(text: string): string {
  if (!text.includes('&')) return text;
  return text.replaceAll(
    /&(?:#(\d{1,7})|#x([0-9a-f]{1,6})|(\w+));?/gi,
    (all, decimal, hex, name) => {
      const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal);
      if (code <= 0x10ffff) return String.fromCodePoint(code);
      const entity = entities[name ?? ''];
      if (entity === undefined) throw new Error(`unknown entity ${all}`);
      return entity;
    },
  );
}
