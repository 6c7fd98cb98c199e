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
  const [start = '', ...rest] = text.split(/\{([^{}]+)\}/);
  const parts: { get: Getter; after: string }[] = [];
  for (let i = 0; i < rest.length; i += 2) {
    parts.push({ get: getter(rest[i] ?? ''), after: rest[i + 1] ?? '' });
  }
  return (scope) => {
    let written = start;
    for (const { get, after } of parts) {
      const found = get(scope);
      // A nested value could be of any depth, or only pretend to be text.
      if (!isPlain(found)) return undefined;
      written += String(found) + after;
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
  const [first, ...inner] = levels.slice(0, -1).map((level) => items(level));
  if (first === undefined) return () => null;
  if (inner.length === 0) return first;
  return (scope) => {
    let scopes = first(scope);
    for (const get of inner) {
      const found: Scope[] = [];
      for (const around of scopes ?? []) for (const item of get(around) ?? []) found.push(item);
      scopes = scopes === null ? null : found;
    }
    return scopes;
  };
}

/** The items of one array. Where there is one, XML knows no array, and some JSON leaves it out. */
function items(path: string): (around: Scope) => Scope[] | null {
  const get: Getter = path === '' ? (scope) => scope.value : getter(path);
  return (around) => {
    const found = get(around);
    if (typeof found !== 'object' || found === null) return null;
    if (!Array.isArray(found)) return [{ value: found, around, index: 0 }];
    const scopes: Scope[] = [];
    for (let i = 0; i < found.length; i += 1) scopes.push({ value: found[i], around, index: i });
    return scopes;
  };
}

function compile(path: string): Getter {
  if (path === '$') return (scope) => scope.value;
  if (path.startsWith('$.')) return from(outermost, path.slice(2));
  const depth = path.length - path.replace(/^\^+/, '').length;
  const rest = path.slice(depth).replace(/^\./, '');
  if (depth === 0) return walk(rest);
  return from((scope) => {
    let found: Scope | null = scope;
    for (let i = 0; i < depth && found !== null; i += 1) found = found.around;
    return found;
  }, rest);
}

function outermost(scope: Scope): Scope {
  let found = scope;
  while (found.around !== null) found = found.around;
  return found;
}

type Step = (value: object, scope: Scope) => unknown;

/** A path from another item than the one at hand; `[#]` and `@` still go by the one at hand. */
function from(start: (scope: Scope) => Scope | null, path: string): Getter {
  const steps = stepsOf(path);
  return (scope) => take(start(scope)?.value, steps, scope);
}

/** Most paths are one or two names from the item at hand: those cost no loop. */
function walk(path: string): Getter {
  const steps = stepsOf(path);
  const [first, second] = steps;
  if (first === undefined || steps.length > 2) return (scope) => take(scope.value, steps, scope);
  if (second === undefined) {
    return (scope) => {
      const { value } = scope;
      return typeof value === 'object' && value !== null ? first(value, scope) : undefined;
    };
  }
  return (scope) => {
    const { value } = scope;
    if (typeof value !== 'object' || value === null) return undefined;
    const inner = first(value, scope);
    return typeof inner === 'object' && inner !== null ? second(inner, scope) : undefined;
  };
}

function take(start: unknown, steps: readonly Step[], scope: Scope): unknown {
  let found = start;
  for (const step of steps) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = step(found, scope);
  }
  return found;
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

/**
 * A name that no prototype has needs no question whether it is the value's own, which is the dearer
 * half of reading it.
 */
function property(key: string): Step {
  if (!(key in Object.prototype) && !(key in Array.prototype)) {
    return (value) => (value as Record<string, unknown>)[key];
  }
  return (value) =>
    Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
}

function select(field: string, wanted: string): Step {
  const read = property(field);
  const reference = wanted.startsWith('@') ? getter(wanted.slice(1)) : null;
  return (value, scope) => {
    if (!Array.isArray(value)) return undefined;
    const sought = reference === null ? wanted : plainText(reference(scope));
    if (sought === null) return undefined;
    for (const each of value) {
      if (typeof each !== 'object' || each === null) continue;
      const found: unknown = read(each, scope);
      if (found === sought || plainText(found) === sought) return each;
    }
    return undefined;
  };
}
