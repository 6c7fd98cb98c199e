/**
 * Where a value stands in a decoded message, written as text in a profile and compiled once.
 *
 *     line.total.in            from the item at hand inwards
 *     counts[name=fw].value    the element of an array whose field has this value
 *     tracks[id=@event.id]     the same, with a value taken from the item at hand
 *     names[#]                 the element at the place that the item at hand has in its own array
 *     ^name                    the item around the item at hand; ^^ the one around that
 *     $.device.serial          from the whole message; `$` alone is the item at hand itself
 */

/** An item of a message together with the items around it. */
export interface Scope {
  readonly value: unknown;
  readonly around: Scope | null;
  /** Place in its array, from 0. */
  readonly index: number;
}

/** A whole message as the item at hand. */
export function outermostScope(value: unknown): Scope {
  return { value, around: null, index: 0 };
}

export type Getter = (scope: Scope) => unknown;

const compiled = new Map<string, Getter>();

/** The function that finds a path's value; own properties only, so `__proto__` finds nothing. */
export function getter(path: string): Getter {
  const known = compiled.get(path);
  if (known !== undefined) return known;
  const made = compile(path);
  compiled.set(path, made);
  return made;
}

/** Text with paths in braces: `line-{line}`. @returns undefined where one of them is missing. */
export function template(text: string): (scope: Scope) => string | undefined {
  const parts = text.split(/\{([^{}]+)\}/);
  const getters = parts.map((part, i) => (i % 2 === 1 ? getter(part) : null));
  return (scope) => {
    let written = '';
    for (const [i, part] of parts.entries()) {
      const found = getters[i]?.(scope);
      // A nested value could be of any depth, or only pretend to be text.
      if (getters[i] !== null && !isPlain(found)) return undefined;
      written += getters[i] === null ? part : String(found);
    }
    return written;
  };
}

/**
 * The items of `a.b[].c[]`: every element of every array, each knowing what is around it.
 *
 * @returns null where the message has no such array at all.
 */
export function eachItem(path: string): (scope: Scope) => readonly Scope[] | null {
  const levels = path.split('[]').map((level) => level.replace(/^\./, ''));
  const getters = levels.slice(0, -1).map((level) => (level === '' ? null : getter(level)));
  return (scope) => {
    let scopes: Scope[] = [scope];
    let met = false;
    for (const get of getters) {
      const inner: Scope[] = [];
      for (const around of scopes) {
        const found = get === null ? around.value : get(around);
        if (typeof found !== 'object' || found === null) continue;
        met = true;
        // Where there is one, XML knows no array, and some JSON leaves it out.
        const values: readonly unknown[] = Array.isArray(found) ? found : [found];
        for (const [index, value] of values.entries()) inner.push({ value, around, index });
      }
      scopes = inner;
    }
    return met ? scopes : null;
  };
}

function compile(path: string): Getter {
  if (path === '$') return (scope) => scope.value;
  if (path.startsWith('$.')) return walk(stepsOf(path.slice(2)), outermost);
  const depth = path.length - path.replace(/^\^+/, '').length;
  const rest = path.slice(depth).replace(/^\./, '');
  if (depth === 0) return walk(stepsOf(rest), (scope) => scope);
  return walk(stepsOf(rest), (scope) => {
    let found: Scope | null = scope;
    for (let i = 0; i < depth && found !== null; i += 1) found = found.around;
    return found;
  });
}

function outermost(scope: Scope): Scope {
  let found = scope;
  while (found.around !== null) found = found.around;
  return found;
}

type Step = (value: unknown, scope: Scope) => unknown;

function walk(steps: readonly Step[], start: (scope: Scope) => Scope | null): Getter {
  return (scope) => {
    let found: unknown = start(scope)?.value;
    for (const step of steps) {
      if (typeof found !== 'object' || found === null) return undefined;
      found = step(found, scope);
    }
    return found;
  };
}

function stepsOf(path: string): Step[] {
  const steps: Step[] = [];
  const step = /\[#\]|\[([^=\]]+)=([^\]]*)\]|([^.[\]]+)/g;
  for (const [written, field, wanted, key] of path.matchAll(step)) {
    if (key !== undefined) steps.push(property(key));
    else if (written === '[#]') steps.push(sameIndex);
    else steps.push(select(field ?? '', wanted ?? ''));
  }
  return steps;
}

function isPlain(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

function plainText(value: unknown): string | null {
  return isPlain(value) ? String(value) : null;
}

function sameIndex(value: unknown, scope: Scope): unknown {
  return Array.isArray(value) ? value[scope.index] : undefined;
}

function property(key: string): Step {
  return (value) =>
    Object.hasOwn(value as object, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function select(field: string, wanted: string): Step {
  const read = property(field);
  const reference = wanted.startsWith('@') ? getter(wanted.slice(1)) : null;
  return (value, scope) => {
    if (!Array.isArray(value)) return undefined;
    const sought = reference === null ? wanted : plainText(reference(scope));
    return value.find(
      (each) =>
        typeof each === 'object' && each !== null && plainText(read(each, scope)) === sought,
    );
  };
}
