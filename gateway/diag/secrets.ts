/**
 * What a bundle for somebody else's eyes must not hold. Three nets, because each has holes: by name of
 * a field, by the form of the text, and by value, for the secrets that lie on this machine.
 */

const removed = '[removed]';

/** Fields whose value is a secret, or proves one. `…_file` names a place, not the secret. */
const secretField =
  /(password|passwd|passphrase|secret|token|credential|authorization|cookie|private_?key|api_?key|^pin$|^key$)(?!.*_file$)/i;

/** Cut off as well: the log may end within it. */
const privateKey =
  /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(-----END [A-Z ]*PRIVATE KEY-----|$)/g;

/** By form; a URL of HTTP keeps its path where HQ is meant: addresses of webhooks are secrets. */
const forms: readonly [RegExp, string][] = [
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s"'<>]*@/gi, `$1${removed}@`],
  [/\b((?:https?|wss?):\/\/[^\s/"'<>?#]+)\/(?!v1\/)[^\s"'<>]+/gi, `$1/${removed}`],
  [/([?&][\w.-]+=)[^\s&"'<>#]+/g, `$1${removed}`],
  [/\b(Bearer|Basic|Digest)\s+[\w+/=.~:-]{4,}/gi, `$1 ${removed}`],
  [/\bfb[a-z]_[\w-]{8,}/g, removed],
  [/\bwhsec_[\w+/=-]+/g, removed],
  [
    /((?:password|passwd|passphrase|secret|token|pin|api[_-]?key|authorization|cookie)\b["']?\s*[:=]\s*)("(?:[^"\\]|\\.)*"|'[^']*'|[^\s,;}&\]]+)/gi,
    `$1${removed}`,
  ],
  // What the check of a configuration found in a wrong place may be a password.
  [/ \(found .*\)/g, ''],
];

/** Shorter ones would strike out half of what is left. */
const known_length_min = 3;
const known_anywhere_length_min = 8;

export class Redaction {
  readonly #known: readonly RegExp[];

  /** @param known secrets as they stand on this machine, in any form. */
  constructor(known: Iterable<string>) {
    this.#known = [...new Set([...known].flatMap(spellings))]
      .filter((value) => value.length >= known_length_min)
      .sort((a, b) => b.length - a.length)
      .map(expressionOf);
  }

  text(text: string): string {
    // By value first: a form that takes half of a secret would hide it from its value.
    const byValue = this.#known.reduce((left, value) => left.replace(value, removed), text);
    return forms.reduce(
      (left, [form, put]) => left.replace(form, put),
      byValue.replace(privateKey, removed),
    );
  }

  /** A document with the same fields. */
  value(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((each) => this.value(each));
    if (typeof value !== 'object' || value === null) return value;
    const fields = Object.entries(value).map(([name, held]) => {
      const isSecret = secretField.test(name) && held !== null && typeof held !== 'boolean';
      return [this.text(name), isSecret ? removed : this.value(held)];
    });
    return Object.fromEntries(fields);
  }

  /** A log: a line that is JSON is read as such. */
  log(text: string): string {
    // Keys go over several lines.
    return text.replace(privateKey, removed).split('\n').map(this.#line).join('\n');
  }

  readonly #line = (line: string): string => {
    const from = line.indexOf('{');
    if (from === -1) return this.text(line);
    try {
      const fields: unknown = JSON.parse(line.slice(from));
      return this.text(line.slice(0, from)) + JSON.stringify(this.value(fields));
    } catch {
      return this.text(line);
    }
  };
}

/** A long one wherever it stands; a PIN as a word of its own, not inside other numbers. */
function expressionOf(secret: string): RegExp {
  const literal = secret.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
  const isLong = secret.length >= known_anywhere_length_min;
  return new RegExp(isLong ? literal : `(?<![A-Za-z0-9])${literal}(?![A-Za-z0-9])`, 'g');
}

/** As it is, and as JSON and addresses write it. */
function spellings(secret: string): string[] {
  const value = secret.trim();
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)];
}
