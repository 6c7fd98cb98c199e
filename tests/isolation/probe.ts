/**
 * Makes attempts inside the server, hundreds a round trip, and judges them. Each runs as its role
 * in a subtransaction that is always taken back, so no attempt sees what another left behind.
 */
import type { Query } from '../../cloud-sync/db/pool.ts';
import type { Case } from './scene.ts';

export interface Failure {
  /** `leak`: reached what it must not. `blocked`: did not reach its own. `broken`: no verdict. */
  readonly kind: 'leak' | 'blocked' | 'broken';
  readonly attempt: string;
  readonly detail: string;
}

interface Outcome {
  /** SQLSTATE, when it failed. */
  readonly state: string | null;
  readonly message: string | null;
  readonly rows: number;
  /** What it may not change did change. */
  readonly changed: boolean;
}

export async function installProbe(query: Query): Promise<void> {
  await query(`
    create schema isolation;
    create function isolation.probe(attempts jsonb) returns jsonb language plpgsql as $$
    declare
      attempt jsonb;
      outcomes jsonb := '[]';
      before text;
      after text;
      n bigint;
      setting record;
    begin
      for attempt in select * from jsonb_array_elements(attempts) loop
        if attempt ->> 'witness' is not null then execute attempt ->> 'witness' into before; end if;
        begin
          for setting in select * from jsonb_each_text(attempt -> 'settings') loop
            perform set_config(setting.key, setting.value, true);
          end loop;
          if attempt ->> 'login' is not null then
            execute format('set local session authorization %I', attempt ->> 'login');
          end if;
          execute format('set local role %I', attempt ->> 'role');
          execute attempt ->> 'statement';
          get diagnostics n = row_count;
          reset session authorization;
          reset role;
          perform set_config('row_security', 'on', true);
          after := before;
          if attempt ->> 'witness' is not null then execute attempt ->> 'witness' into after; end if;
          raise exception using errcode = 'ZZ001';
        exception
          when sqlstate 'ZZ001' then
            outcomes := outcomes || jsonb_build_object(
              'state', null, 'message', null, 'rows', n,
              'changed', after is distinct from before);
          when others then
            outcomes := outcomes || jsonb_build_object(
              'state', sqlstate, 'message', sqlerrm, 'rows', 0, 'changed', false);
        end;
      end loop;
      return outcomes;
    end $$`);
}

const batch_size = 250;

/** What went wrong, in the order of the attempts; stops after `failures_max`. */
export async function judgeAll(
  query: Query,
  cases: readonly Case[],
  failures_max = Number.POSITIVE_INFINITY,
): Promise<Failure[]> {
  const failures: Failure[] = [];
  for (let at = 0; at < cases.length && failures.length < failures_max; at += batch_size) {
    const some = cases.slice(at, at + batch_size);
    const attempts = some.map(({ identity, settings, statement, witness }) => ({
      role: identity.role,
      login: identity.login,
      settings: { ...identity.settings, ...settings },
      statement,
      witness,
    }));
    const [row] = await query<{ outcomes: Outcome[] }>('select isolation.probe($1) as outcomes', [
      JSON.stringify(attempts),
    ]);
    for (const [i, one] of some.entries()) {
      const outcome = row?.outcomes[i];
      const kind = outcome === undefined ? 'broken' : judge(one, outcome);
      if (kind === undefined) continue;
      failures.push({ kind, attempt: nameOf(one), detail: JSON.stringify({ ...outcome }) });
    }
  }
  return failures;
}

/** How PostgreSQL says no: a missing right or a policy, a view that takes no writes, COPY. */
const refusals = ['42501', '55000', '0A000', '42809'];

function judge(one: Case, outcome: Outcome): Failure['kind'] | undefined {
  const { state, rows, changed } = outcome;
  // A constraint speaks after the policies have let the row pass.
  const passed = state === null || state.startsWith('23');
  if (!passed && !refusals.includes(state ?? '')) return 'broken';
  if (changed) return 'leak';
  if (one.expect === 'either') return undefined;
  if (one.expect === 'reach') {
    return passed && (rows > 0 || state !== null) ? undefined : 'blocked';
  }
  // An insert that does nothing tells that the key exists; a read or change of no row tells nothing.
  const touched = one.command === 'insert' || rows > 0 || state !== null;
  return passed && touched ? 'leak' : undefined;
}

function nameOf({ identity, command, relation, target, form }: Case): string {
  return `${identity.name}: ${command} ${relation}, ${target}, ${form}`;
}
