/** Breaks the wall in one place at a time; a suite that notices every break can be believed. */
import type { Query } from '../../cloud-sync/db/pool.ts';
import { judgeAll } from './probe.ts';
import type { Case } from './scene.ts';
import { structureFailures } from './structure.ts';
import type { Stage } from './suite.ts';
import { withEveryRight } from './suite.ts';

interface Mutant {
  readonly name: string;
  /** The statement that breaks it. */
  readonly sql: string;
  /** Relations whose attempts should notice, and the role, where it is one. */
  readonly relation: string | undefined;
  readonly role: string | undefined;
}

export interface Judged {
  readonly mutants: number;
  readonly killed: number;
  /** By an attempt that got through or no longer got to its own, not by a rule about structure. */
  readonly killed_by_attempts: number;
  readonly survivors: readonly string[];
}

export async function judgeMutants(stage: Stage): Promise<Judged> {
  const mutants = [...(await policyMutants(stage.query)), ...(await objectMutants(stage.query))];
  const survivors: string[] = [];
  let killed_by_attempts = 0;
  for (const mutant of mutants) {
    const by = await withEveryRight(stage, () => killer(stage, mutant));
    if (by === 'attempt') killed_by_attempts++;
    if (by === undefined) survivors.push(mutant.name);
  }
  const killed = mutants.length - survivors.length;
  return { mutants: mutants.length, killed, killed_by_attempts, survivors };
}

async function killer(stage: Stage, mutant: Mutant): Promise<'attempt' | 'structure' | undefined> {
  await stage.query(mutant.sql);
  const near = (one: Case) =>
    one.relation === mutant.relation &&
    (mutant.role === undefined || one.identity.role === mutant.role);
  if (mutant.relation !== undefined) {
    if ((await judgeAll(stage.query, stage.wide.filter(near), 1)).length > 0) return 'attempt';
  }
  const { failures } = await structureFailures(stage.query);
  if (failures.length > 0) return 'structure';
  return (await judgeAll(stage.query, stage.wide, 1)).length > 0 ? 'attempt' : undefined;
}

interface Policy {
  name: string;
  relation: string;
  role: string;
  using: string | null;
  check: string | null;
}

async function policyMutants(query: Query): Promise<Mutant[]> {
  const policies = await query<Policy>(
    `select polname as name, n.nspname || '.' || c.relname as relation,
       polroles[1]::regrole::text as role,
       pg_get_expr(polqual, polrelid) as using, pg_get_expr(polwithcheck, polrelid) as check
     from pg_policy join pg_class c on c.oid = polrelid
     join pg_namespace n on n.oid = c.relnamespace order by 2, 1`,
  );
  return policies.flatMap((policy) => [
    ...weakened(policy, 'using'),
    ...weakened(policy, 'check'),
    {
      name: `${policy.name}: for everybody`,
      sql: `alter policy ${policy.name} on ${policy.relation} to public`,
      relation: policy.relation,
      role: undefined,
    },
  ]);
}

function weakened(policy: Policy, part: 'using' | 'check'): Mutant[] {
  const expression = policy[part];
  if (expression === null || expression === 'true') return [];
  const conjuncts = conjunctsOf(expression);
  const clause = part === 'using' ? 'using' : 'with check';
  const versions = conjuncts.map((dropped, i) => ({
    name: `${policy.name}: ${clause} without ${dropped}`,
    rest: conjuncts.filter((_, at) => at !== i).join(' and ') || 'true',
  }));
  if (conjuncts.length > 1) versions.push({ name: `${policy.name}: no ${clause}`, rest: 'true' });
  return versions.map(({ name, rest }) => ({
    name,
    sql: `alter policy ${policy.name} on ${policy.relation} ${clause} (${rest})`,
    relation: policy.relation,
    // Roles that decide for others are seen through those others.
    role: policy.role === 'app_definer' ? undefined : policy.role,
  }));
}

/** `(a AND (b OR c))` → `a`, `(b OR c)`. */
export function conjunctsOf(expression: string): string[] {
  const inner = unwrapped(expression);
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let i = 0; i < inner.length; i++) {
    if (inner[i] === '(') depth++;
    if (inner[i] === ')') depth--;
    if (depth === 0 && inner.startsWith(' AND ', i)) {
      parts.push(inner.slice(start, i));
      start = i + ' AND '.length;
    }
  }
  return [...parts, inner.slice(start)];
}

function unwrapped(expression: string): string {
  let depth = 0;
  for (let i = 0; i < expression.length; i++) {
    if (expression[i] === '(') depth++;
    if (expression[i] === ')') depth--;
    if (depth === 0 && i < expression.length - 1) return expression;
  }
  return expression.startsWith('(') ? expression.slice(1, -1) : expression;
}

/** Switches that hold a table, a view or a function in the wall. */
async function objectMutants(query: Query): Promise<Mutant[]> {
  return query<Mutant>(
    `with relation as (
       select c.*, n.nspname || '.' || c.relname as name
       from pg_class c join pg_namespace n on n.oid = c.relnamespace
       where n.nspname in ('public', 'app', 'parts'))
     select name || ': row security off' as name,
       'alter table ' || name || ' disable row level security' as sql, name as relation
     from relation where relkind in ('r', 'p')
     union all
     select name || ': not forced', 'alter table ' || name || ' no force row level security', name
     from relation where relkind in ('r', 'p')
     union all
     select name || ': as its owner', 'alter view ' || name || ' reset (security_invoker)', name
     from relation where relkind = 'v'
     union all
     select p.oid::regprocedure || ': search_path of the caller',
       'alter function ' || p.oid::regprocedure || ' reset search_path', null
     from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'app')
       and p.proconfig is not null
     union all
     select p.oid::regprocedure || ': for everybody',
       'grant execute on function ' || p.oid::regprocedure || ' to public', null
     from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'app')
     order by 1`,
  );
}
