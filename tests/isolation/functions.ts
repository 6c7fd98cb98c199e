/** What functions give away: to each identity, about rows that are not its own. */
import { randomUUID } from 'node:crypto';
import type { Identity } from './identities.ts';
import { become } from './identities.ts';
import type { Failure } from './probe.ts';
import type { Stage } from './suite.ts';

interface Routine {
  readonly name: string;
  readonly schema: string;
  readonly arguments: readonly string[];
}

/** They name organizations to a worker that then works in one of them; and to nobody else. */
const across: Readonly<Record<string, readonly string[]>> = {
  'app.active_organization_ids': ['app_health', 'app_operator', 'app_rollup', 'app_notify'],
  // Whom to tell in one's own organization; who they are may be a member elsewhere too.
  'app.alert_readers': ['app_notify'],
  'app.dirty_day_organization_ids': ['app_rollup'],
  'app.dirty_organization_ids': ['app_rollup'],
};

export async function functionFailures(
  stage: Stage,
): Promise<{ cases: number; failures: Failure[] }> {
  const routines = await stage.query<Routine>(
    `select p.oid::regproc::text as name, p.pronamespace::regnamespace::text as schema,
       array(select format_type(t, null) from unnest(p.proargtypes) with ordinality a (t, i)
         order by i) as arguments
     from pg_proc p where p.pronamespace::regnamespace::text in ('public', 'app')
       and p.prorettype <> 'trigger'::regtype and p.provolatile <> 'v'`,
  );
  const failures: Failure[] = [];
  let cases = 0;
  for (const identity of stage.everybody) {
    for (const routine of routines) {
      const secrets = across[routine.name]?.includes(identity.role) ? [] : foreignIds(stage);
      for (const call of calls(stage, routine)) {
        cases++;
        const [answer, nothing] = await answers(stage, identity, call);
        const told = secrets.find((id) => answer.includes(id) && !call.includes(id));
        const depends = call.includes('jsonb_populate_record') && answer !== nothing;
        if (told !== undefined || depends) {
          failures.push({ kind: 'leak', attempt: `${identity.name}: ${call}`, detail: answer });
        }
      }
    }
  }
  return { cases, failures };
}

function foreignIds({ world }: Stage): string[] {
  return [world.other.organization, world.other.user];
}

/** With no argument, with a key of the other organization, with a forged row of it. */
function calls(stage: Stage, { name, arguments: types }: Routine): string[] {
  if (types.length === 0) return [`select ${name}()::text`];
  const [type = ''] = types;
  if (types.length === 1 && type === 'uuid') {
    return [stage.world.other.organization, randomUUID()].map(
      (id) => `select ${name}('${id}')::text`,
    );
  }
  const relation = stage.relations.find(({ name: known }) => known.endsWith(`.${type}`));
  if (types.length !== 1 || relation === undefined) return [];
  const row = Object.fromEntries(
    Object.entries(relation.axes).map(([axis, column]) => [
      column,
      axis === 'organization' ? stage.world.other.organization : stage.world.own.store,
    ]),
  );
  const forged = JSON.stringify({ ...row, timestamp: '2026-01-01T00:00:00Z', sensor_id: 'x' });
  return [`select ${name}(jsonb_populate_record(null::${relation.name}, '${forged}'))::text`];
}

/** What the identity is told, and what the same role is told that has no identity at all. */
async function answers(stage: Stage, identity: Identity, call: string): Promise<[string, string]> {
  const ask = async (settings: Readonly<Record<string, string>>) => {
    await stage.query(`begin; ${become({ ...identity, settings })}`);
    try {
      return JSON.stringify(await stage.query(call));
    } catch {
      return 'refused';
    } finally {
      await stage.query('rollback');
    }
  };
  return [await ask(identity.settings), await ask({})];
}
